"""MNIST's attacked images told by what detectors there are: T Table 7's upper half, and who else is fooled by which attack."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from drumlin._io import unknown
from drumlin.attacks import BIM, FGSM, ILCM, Attack, CarliniWagner
from drumlin.detectors import DETECTORS
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.mnist_heads import HEADS, SCALES, Setting, run_settings
from drumlin.recipes.tables import in_percent, row_of
from drumlin.recipes.variants import Measured, Published, Variant
from drumlin.results import Record, select, table
from drumlin.results.record import Scale
from drumlin.settings.backbones import backbone_settings
from drumlin.tasks.adversarial import ALL, SUCCESSFUL, adversarial_detection
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.detection import (
    Known,
    anomalous_sets,
    detection,
    fit_detectors,
    request_to_fit,
)
from drumlin.tasks.robustness import UNTARGETED, Attacked, attack_images, robustness
from drumlin.tasks.shown import features_of

ABOUT = "MNIST: attacked images told by six detectors (T Table 7), and unknown ones"
TARGET = "random"
SAME, FGSM_ALONE = "fitted to the same attack", "fitted to FGSM"
"""What a regression is fitted to, on held-out images."""


@dataclass(frozen=True)
class Effort:
    """How many test images an attack is spent on, how many held-out ones, and its settings at this scale."""

    attack: Attack
    limit: int | None
    known: int


EFFORTS: dict[str, dict[str, Effort]] = {
    "cpu": {
        "fgsm": Effort(FGSM(epsilon=0.1), None, 1000),
        "bim": Effort(BIM(epsilon=0.1), None, 1000),
        "bim-0.2": Effort(BIM(epsilon=0.2), None, 1000),
        "ilcm": Effort(ILCM(epsilon=0.2), None, 1000),
        "cw": Effort(CarliniWagner(lr=0.05, batch_size=200), 200, 200),
        "cw-hc": Effort(CarliniWagner(lr=0.05, kappa=10, batch_size=200), 200, 200),
    },
    "paper": {
        "fgsm": Effort(FGSM(epsilon=0.1), None, 5000),
        "bim": Effort(BIM(epsilon=0.1), None, 5000),
        "bim-0.2": Effort(BIM(epsilon=0.2), None, 5000),
        "ilcm": Effort(ILCM(epsilon=0.2), None, 5000),
        "cw": Effort(CarliniWagner(lr=0.001, steps=10_000), None, 1000),
        "cw-hc": Effort(CarliniWagner(lr=0.001, steps=10_000, kappa=10), None, 1000),
    },
    "smoke": {
        "fgsm": Effort(FGSM(epsilon=0.1), 60, 60),
        "bim": Effort(BIM(epsilon=0.1, steps=3, step=0.05), 60, 60),
        "cw": Effort(CarliniWagner(steps=20, lr=0.1, binary_search_steps=2), 20, 20),
    },
}
"""Scale → name in records → what is done. T gives ε = 0.1 for FGSM, and for BIM and ILCM 20 steps of 0.01, which can go as far as
0.2; BIM is done with both. Of C&W it gives neither the first c nor the number of steps; ours are `CarliniWagner`'s."""

_DETECTORS: dict[tuple[str, bool], tuple[str, ...]] = {
    ("softmax", False): ("k-density", "i-defender", "lid"),
    ("softmax", True): ("k-density-uncertainty",),
    ("rce", False): ("k-density",),
    ("gm", False): ("k-density",),
}
"""(head, dropout or not) → T's detectors on it."""
DROPOUT = 0.5
UNKNOWN = {"mnist": ("fashion-mnist", "omniglot", "noise"), "digits": ("noise",)}
"""Data → sets the models have not seen."""
_NAMES = {"bim": "bim-0.2"}
"""What of our attacks is like T's: its BIM may go to 0.2."""

_TABLE_7: dict[tuple[str, str], dict[str, float]] = {
    ("softmax", "k-density"): {"fgsm": 90.2, "bim": 90.3, "ilcm": 95.8, "cw": 97.6},
    ("softmax dropout", "k-density-uncertainty"): {"fgsm": 90.6, "bim": 97.2, "ilcm": 87.4, "cw": 97.9},
    ("softmax", "i-defender"): {"fgsm": 96.4, "bim": 97.6},
    ("softmax", "lid"): {"fgsm": 96.9, "bim": 99.6},
    ("rce", "k-density"): {"fgsm": 99.4, "bim": 91.8, "ilcm": 98.6, "cw": 99.8},
    ("gm", "k-density"): {"fgsm": 99.5, "bim": 99.7, "ilcm": 99.0, "cw": 99.8},
}
"""(row, detector) → attack → AUROC in percent."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: four models of 100-D features, the learning rate chosen as in mnist-heads."""
    if scale not in SCALES:
        raise unknown("scale", scale, SCALES)

    def measure(subject: Subject) -> Iterator[TaskResult]:
        return _measure(subject, EFFORTS[scale])

    return Experiment("mnist-detection", scale, tuple(_variants(SCALES[scale])), measure, show=show)


def _measure(subject: Subject, efforts: dict[str, Effort]) -> Iterator[TaskResult]:
    """Yield error, what each attack does, and how well T's detectors tell attacked and unknown images."""
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
        yield adversarial_detection(subject, attacked, plain)
        strange = anomalous_sets(subject, UNKNOWN[settings.data.name], request=request)
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


def _variants(scale: Setting) -> Iterator[Variant]:
    for name in ("softmax", "softmax dropout", "rce", "gm"):
        loss, _, dropout = name.partition(" ")
        backbone = backbone_settings(scale.backbone, feature_dim=100, dropout=DROPOUT if dropout else 0.0)
        candidates = {f"lr={rate:g}": run_settings(scale, HEADS[loss], backbone, rate) for rate in scale.rates}
        also = _published(name) if scale.data == "mnist" else {}
        yield Variant(f"{name}, 100-D", candidates, scale.seeds, also=also)


def _published(row: str) -> dict[Measured, Published]:
    return {
        Measured("detection", "auroc", detector, _NAMES.get(attack, attack)): Published(value / 100, "T Table 7")
        for (name, detector), values in _TABLE_7.items()
        if name == row
        for attack, value in values.items()
    }
