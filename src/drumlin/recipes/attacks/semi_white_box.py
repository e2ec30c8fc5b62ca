"""Attacked images told by detectors that the attacker does not know of: what T's Tables 7 and 8 have in common.

The recipes give the data set's trainings and attacks; here are the models, what is measured of each, and the tables.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drumlin.attacks import Attack
from drumlin.detectors import DETECTORS
from drumlin.recipes.scales import Setting, candidates
from drumlin.recipes.tables import row_of
from drumlin.recipes.variants import Measured, Published, Variant
from drumlin.results import Record, in_percent, select, table
from drumlin.settings.heads import HeadSettings
from drumlin.tasks.adversarial import ALL, SUCCESSFUL, adversarial_detection
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.detection import Known, anomalous_sets, detection, fit_detectors, request_to_fit
from drumlin.tasks.robustness import UNTARGETED, Attacked, attack_images, robustness
from drumlin.tasks.shown import features_of

TARGET = "random"
SAME, FGSM_ALONE = "fitted to the same attack", "fitted to FGSM"
"""What a regression is fitted to, on held-out images."""
DROPOUT = 0.5
"""Of the networks whose detector asks for draws."""
SCORES = "adversarial"
"""Where a run keeps the scores that the figure is drawn of."""


@dataclass(frozen=True)
class Effort:
    """How many test images an attack is spent on, how many held-out ones, and its settings at this scale."""

    attack: Attack
    limit: int | None
    known: int


_DETECTORS: dict[tuple[str, bool], tuple[str, ...]] = {
    ("softmax", False): ("k-density", "i-defender", "lid"),
    ("softmax", True): ("k-density-uncertainty",),
    ("rce", False): ("k-density",),
    ("gm", False): ("k-density",),
}
"""(head, dropout or not) → T's detectors on it."""

_NAMES = {"bim": "bim-0.2"}
"""What of our attacks is like T's: its BIM may go to 0.2."""

Areas = Mapping[tuple[str, str], Mapping[str, float]]
"""(row, detector) → attack → AUROC in percent, as published."""


def variants(
    scale: Setting,
    heads: Mapping[str, HeadSettings],
    published: Areas,
    source: str,
    feature_dim: int,
    **backbone: object,
) -> Iterator[Variant]:
    """Yield the models of a table.

    Args:
        scale: of their trainings.
        heads: by the loss's name; "softmax" is also trained with dropout.
        published: what stands beside.
        source: of these.
        feature_dim: D.
        backbone: further fields of its settings.
    """
    rows = [(name, name, 0.0) for name in heads]
    rows.insert(1, ("softmax dropout", "softmax", DROPOUT))
    for row, loss, dropout in rows:
        found = candidates(scale, heads[loss], feature_dim=feature_dim, dropout=dropout, **backbone)
        also = {
            Measured("detection", "auroc", detector, _NAMES.get(attack, attack)): Published(value / 100, source)
            for (name, detector), values in published.items()
            if name == row
            for attack, value in values.items()
        }
        yield Variant(f"{row}, {feature_dim}-D", found, scale.seeds, also=also)


def measure(subject: Subject, efforts: Mapping[str, Effort], unknown: Sequence[str]) -> Iterator[TaskResult]:
    """Yield error, what each attack does, and how well T's detectors tell attacked and unknown images.

    Args:
        subject: the run.
        efforts: attacks by their names in records.
        unknown: sets the model has not seen.
    """
    yield classification(subject)
    settings = subject.run.settings
    names = _DETECTORS[settings.head.name, settings.backbone.dropout > 0]
    request = request_to_fit(subject, names)

    def attacked_by(effort: Effort, **others: Any) -> Attacked:
        goal = TARGET if effort.attack.takes_target else UNTARGETED
        return attack_images(subject, effort.attack, target=goal, request=request, **others)

    attacked = {name: attacked_by(effort, limit=effort.limit) for name, effort in efforts.items()}
    for name, effort in efforts.items():
        yield robustness(subject, attacked[name], name, limit=effort.limit)
    alone = [name for name in names if "anomalies" not in DETECTORS[name].requires]
    if alone:
        plain = fit_detectors(subject, alone)
        result = adversarial_detection(subject, attacked, plain)
        result.store(subject.run.folder, SCORES)  # the figure is drawn of its scores
        yield result
        strange = anomalous_sets(subject, unknown, request=request)
        yield detection(subject, features_of(strange), plain)
    normals = subject.features(subject.run.holdout_images(), request) if len(alone) < len(names) else None
    for name in names:
        if name in alone:
            continue
        assert normals is not None
        for attack, effort in efforts.items():
            seen = attacked_by(effort, limit=effort.known, holdout=True)
            fitted = fit_detectors(subject, [name], known=Known(seen.features, normals))
            yield adversarial_detection(subject, {attack: attacked[attack]}, fitted, protocol=SAME)
            if attack == "fgsm":
                yield adversarial_detection(subject, attacked, fitted, protocol=FGSM_ALONE)


def show(records: Sequence[Record]) -> str:
    """Return AUROCs in percent, under both protocols; and what the attacks did. Published values are in parentheses."""
    areas = select(records, task="detection", metric="auroc")
    parts = []
    for protocol in (ALL, SUCCESSFUL):
        found = [r for r in areas if protocol in (r.protocol or "")]
        rows = [
            dataclasses.replace(in_percent(r), protocol=(r.protocol or "").replace(f"; {protocol}", "")) for r in found
        ]
        parts += [
            f"AUROC, %, {protocol}",
            table(rows, rows=["protocol", "detector"], columns=["anomaly"], published=True),
        ]
    unknown_sets = [r for r in areas if "attacked" not in (r.protocol or "") and SUCCESSFUL not in (r.protocol or "")]
    if unknown_sets:
        rows = [row_of(in_percent(r)) for r in unknown_sets]
        parts += ["AUROC, %, unknown images", table(rows, rows=["protocol", "detector"], columns=["anomaly"])]
    for metric, title in (("success", "Success, %"), ("distortion", "Distortion, RMS of pixels in 0..1")):
        rows = [row_of(in_percent(r)) for r in select(records, task="robustness", metric=metric)]
        parts += [title, table(rows, rows=["protocol"], columns=["anomaly"], digits=3)]
    return "\n\n".join(parts)
