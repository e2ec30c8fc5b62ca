"""Attackers who know the detector, and attacked images that were made on another model: what T's Tables 9 to 11 have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from drumlin.attacks import FGSM, CarliniWagnerDetector, Transfer
from drumlin.recipes.attacks.semi_white_box import DROPOUT, TARGET
from drumlin.recipes.scales import Setting, candidates
from drumlin.recipes.tables import row_of
from drumlin.recipes.variants import Measured, Published, Variant
from drumlin.results import Record, in_percent, select, table
from drumlin.settings.backbones import BackboneSettings
from drumlin.settings.heads import HeadSettings
from drumlin.tasks.adversarial import ALL, SUCCESSFUL, adversarial_detection
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.detection import Known, fit_detectors, request_to_fit
from drumlin.tasks.robustness import attack_images, robustness
from drumlin.training import Run, TrainingError, train

KNOWING, TRANSFER = "cw-detector", "transfer"
_AVERAGED = "softmax dropout"
_PARTNER_SEED = 1000
"""Added to a model's own seed."""


@dataclass(frozen=True)
class Plan:
    """What a scale decides.

    Attributes:
        attack: what is done.
        images: to how many test images.
        known: how many held-out images are attacked for a regression.
        partner: network of the model that the images are brought to.
        draws: over how many passes with dropout attack and detector average, where there is dropout.
    """

    attack: CarliniWagnerDetector
    images: int
    known: int
    partner: BackboneSettings
    draws: int


@dataclass(frozen=True)
class Row:
    """What T has of a loss: AUROC in percent and distortion in units of 0 to 255 under C&W-wb, its success, AUROC after transfer."""

    area: float
    distortion: float
    success: float
    transferred: float

    def values(self, sources: tuple[str, str]) -> dict[Measured, Published]:
        """Return these in the units of records; `sources` are the tables of the first three and of the last."""
        knowing, black_box = sources
        detector = "k-density"
        return {
            Measured("detection", "auroc", detector, KNOWING): Published(self.area / 100, knowing),
            Measured("robustness", "distortion", None, KNOWING): Published(self.distortion / 255, knowing),
            Measured("robustness", "success", None, KNOWING): Published(self.success / 100, knowing),
            Measured("detection", "auroc", detector, TRANSFER): Published(self.transferred / 100, black_box),
        }


def variants(
    scale: Setting,
    heads: Mapping[str, HeadSettings],
    published: Mapping[str, Row],
    sources: tuple[str, str],
    feature_dim: int,
    **backbone: object,
) -> Iterator[Variant]:
    """Yield the models: a loss each, and softmax with dropout, over which an attacker averages."""
    rows = [(name, name, 0.0) for name in heads]
    rows.insert(1, (_AVERAGED, "softmax", DROPOUT))
    for row, loss, dropout in rows:
        found = candidates(scale, heads[loss], feature_dim=feature_dim, dropout=dropout, **backbone)
        also = published[row].values(sources) if row in published else {}
        yield Variant(f"{row}, {feature_dim}-D", found, scale.seeds[:1], also=also)


def measure(subject: Subject, plan: Plan) -> Iterator[TaskResult]:
    """Yield error, what C&W-wb does to a model with K-density, and what its images do to another model trained alike.

    With dropout the detector is K-density with uncertainty, and attack and score average over the same number of draws.
    The threshold is that of held-out images (`median_scores`). Success needs class and score; after transfer the class alone.
    """
    yield classification(subject)
    averaged = subject.run.settings.backbone.dropout > 0
    name = "k-density-uncertainty" if averaged else "k-density"
    made = {name: {"draws": plan.draws}} if averaged else {}
    request = request_to_fit(subject, [name], made)
    known = None
    if averaged:
        seen = attack_images(subject, FGSM(epsilon=0.1), limit=plan.known, holdout=True, target=TARGET, request=request)
        known = Known(seen.features, subject.features(subject.run.holdout_images(), request))
    detectors = fit_detectors(subject, [name], known=known, hyperparameters=made)
    detector = detectors[name]
    found = attack_images(
        subject, plan.attack, target=TARGET, limit=plan.images, detector=detector, request=detector.request
    )
    yield robustness(subject, found, KNOWING, limit=plan.images)
    yield adversarial_detection(subject, {KNOWING: found}, detectors)
    if averaged:
        return
    try:
        partner = _partner(subject, plan.partner)
    except TrainingError:  # nothing can be brought to a model that came to no end
        facts = {"split": "test", "anomaly": TRANSFER, "unit": "fraction"}
        yield TaskResult([subject.record("robustness", "success", None, **facts)])
        return
    held_out = subject.features(subject.run.holdout_images())
    attack = Transfer(
        attack=plan.attack.prepared(detector.score, held_out),
        substitute=subject.run.classifier,
        batch_size=plan.attack.batch_size,
    )
    moved = attack_images(partner, attack, target=TARGET, limit=plan.images, detector=detector)
    yield _as_of(subject, robustness(partner, moved, TRANSFER, limit=plan.images))
    yield _as_of(subject, adversarial_detection(partner, {TRANSFER: moved}, fit_detectors(partner, [name])))


def _as_of(subject: Subject, result: TaskResult) -> TaskResult:
    """Return a partner's result with the seed of the model that the images come from: by it rows are put together."""
    seed = subject.run.settings.seed
    return dataclasses.replace(result, records=[dataclasses.replace(r, seed=seed) for r in result.records])


def _partner(subject: Subject, backbone: BackboneSettings) -> Subject:
    """Return a model of another network and seed, trained as the subject was, beside its folder."""
    run = subject.run
    own = run.settings
    backbone = dataclasses.replace(backbone, feature_dim=own.backbone.feature_dim)
    settings = dataclasses.replace(own, backbone=backbone, seed=own.seed + _PARTNER_SEED)
    folder = run.folder.with_name(f"{run.folder.name}-{backbone.name}-partner")
    train(settings, folder, resume=(folder / "config.json").exists())
    return subject.like(Run(folder, root=run.root, download=run.download, device=run.device))


def show(records: Sequence[Record]) -> str:
    """Return T's Tables 9 or 10, and 11; published values are in parentheses."""
    areas = select(records, task="detection", metric="auroc")
    parts = []
    for protocol in (ALL, SUCCESSFUL):
        rows = [row_of(in_percent(r)) for r in areas if (r.protocol or "").endswith(protocol)]
        found = table(rows, rows=["protocol", "detector"], columns=["anomaly"], published=True)
        parts += [f"AUROC, %, {protocol}", found]
    for metric, title in (("success", "Success, %"), ("distortion", "Distortion, RMS of pixels in 0..1")):
        rows = [row_of(in_percent(r)) for r in select(records, task="robustness", metric=metric)]
        parts += [title, table(rows, rows=["protocol"], columns=["anomaly"], published=True, digits=3)]
    return "\n\n".join(parts)
