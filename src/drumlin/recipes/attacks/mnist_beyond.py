"""What no paper shows: every detector on four models against unknown images, attacks, and an attack that knows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from drumlin.attacks import BIM, FGSM, PGD, AdaptiveAttack
from drumlin.detectors import detectors_for
from drumlin.detectors.base import Detector
from drumlin.features import FeatureRequest
from drumlin.recipes import needs
from drumlin.recipes.classification.mnist_heads import HEADS
from drumlin.recipes.experiment import Experiment, Ledger
from drumlin.recipes.pages import write_figures_page
from drumlin.recipes.scales import MNIST, MNIST_100D, candidates, setting
from drumlin.recipes.tables import row_of
from drumlin.recipes.variants import Variant
from drumlin.refusal import Conformal
from drumlin.report.figures.cells import CellFigure
from drumlin.results import Record, in_percent, select, table
from drumlin.results.record import Scale
from drumlin.tasks.adversarial import ALL, adapted, adversarial_detection, safety
from drumlin.tasks.adversarial import TASK as SAFETY
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.detection import Known, anomalous_sets, detection, fit_detectors, request_to_fit
from drumlin.tasks.robustness import attack_images, robustness
from drumlin.tasks.shown import features_of

ABOUT = "MNIST: every detector against unknown images, attacks, and an attack adapted to that very detector"
ROWS = ("softmax", "center", "gm", "lgm")
ADAPTED = "adapted "
"""Before the name of an attack that also keeps the score of a detector low."""
FALSE_ALARM = 0.05
"""Of the refusal by each detector, calibrated on held-out images."""
GIVEN = ("head", "hidden", "anomalies")
"""All but draws, for which the networks would need dropout."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """What a scale decides: unknown images, attacks, those that are adapted, too, and the number of images that are attacked."""

    unknown: tuple[str, ...]
    attacks: dict[str, AdaptiveAttack]
    adapted: tuple[str, ...]
    images: int


_FULL = Effort(
    ("fashion-mnist", "omniglot", "textures", "noise"),
    {
        "fgsm": FGSM(epsilon=0.1),
        "bim": BIM(epsilon=0.1),
        "pgd": PGD(epsilon=0.1, steps=20),
        "pgd-0.2": PGD(epsilon=0.2, steps=20),
    },
    ("pgd", "pgd-0.2"),
    500,
)
EFFORTS: dict[str, Effort] = {
    "cpu": _FULL,
    "paper": dataclasses.replace(_FULL, images=10_000),
    "smoke": Effort(("noise",), {"fgsm": FGSM(epsilon=0.1), "pgd": PGD(epsilon=0.1, steps=2)}, ("pgd",), 30),
}
"""Scale → what is done; an attack may change a pixel by 0.1, if its name does not say 0.2."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: four models of 100-D features, the learning rate chosen as in mnist-heads."""

    def measure(subject: Subject) -> Iterator[TaskResult]:
        return _measure(subject, EFFORTS[scale])

    unknown = needs.sets(EFFORTS[scale].unknown)
    return Experiment("mnist-beyond", scale, tuple(variants(scale)), measure, draw, show, needs=unknown)


def variants(scale: Scale) -> Iterator[Variant]:
    """Yield the models, a seed each."""
    chosen = setting(MNIST, scale)
    for name in ROWS:
        rates = candidates(chosen, HEADS[name], feature_dim=100, **MNIST_100D[scale])
        yield Variant(f"{name}, 100-D", rates, chosen.seeds[:1])


def fitted(subject: Subject, images: int) -> tuple[dict[str, Detector], FeatureRequest]:
    """Return every detector that the model can have, and what features must have for all of them.

    Regressions are fitted to FGSM on held-out images.

    Args:
        subject: the run.
        images: how many held-out images are attacked.
    """
    names = detectors_for(subject.run.classifier.head, GIVEN)
    request = request_to_fit(subject, names)
    seen = attack_images(subject, FGSM(epsilon=0.1), limit=images, holdout=True, request=request)
    normals = subject.features(subject.run.holdout_images(), request)
    return fit_detectors(subject, names, known=Known(seen.features, normals)), request


def _measure(subject: Subject, effort: Effort) -> Iterator[TaskResult]:
    yield classification(subject)
    detectors, request = fitted(subject, effort.images)
    yield detection(subject, features_of(anomalous_sets(subject, effort.unknown, request=request)), detectors)
    attacked = {
        name: attack_images(subject, attack, limit=effort.images, request=request)
        for name, attack in effort.attacks.items()
    }
    for name, found in attacked.items():
        yield robustness(subject, found, name, limit=effort.images)
    held_out = subject.features(subject.run.holdout_images(), request)
    for name, detector in detectors.items():
        own = {
            f"{ADAPTED}{attack}": adapted(
                subject, effort.attacks[attack], detector, limit=effort.images, request=request
            )
            for attack in effort.adapted
        }
        met = attacked | own
        yield adversarial_detection(subject, met, {name: detector})
        yield safety(subject, met, detector, Conformal(detector.score(held_out), FALSE_ALARM))


def show(records: Sequence[Record]) -> str:
    """Return AUROCs in percent, a row a model and detector; the share that is right or refused; and that of attacks that succeed."""
    areas = table(_areas(records), rows=["protocol", "detector"], columns=["anomaly"])
    safe = table(safe_shares(records), rows=["protocol", "detector"], columns=["anomaly"])
    success = [row_of(in_percent(r)) for r in select(records, task="robustness", metric="success")]
    parts = ["AUROC, %", areas, f"Right or refused, %, at {FALSE_ALARM:.0%} false alarms", safe, "Success, %"]
    return "\n\n".join([*parts, table(success, rows=["protocol"], columns=["anomaly"])])


def _areas(records: Sequence[Record]) -> list[Record]:
    """Return AUROCs in percent, of attacks those over all attacked images."""
    found = select(records, task="detection", metric="auroc")
    chosen = [r for r in found if (r.protocol or "").endswith(("all-test-samples", f"; {ALL}"))]
    return [row_of(in_percent(r)) for r in chosen]


def safe_shares(records: Sequence[Record]) -> list[Record]:
    """Return shares of attacked images that do no harm, in percent."""
    found = select(records, task=SAFETY, metric="right-or-refused")
    return [row_of(in_percent(r)) for r in found if r.anomaly is not None]


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw all areas as one picture into the folder `figures`, and what refusal saves as another; return the files, with a page."""
    records = [record for variant in ledger.experiment.variants for record in ledger.measurements(variant)]
    drawn = [
        CellFigure("mnist-beyond", _cells(_areas(records)), "AUROC", _AREAS),
        CellFigure("mnist-beyond-safety", _cells(safe_shares(records)), "Share that is right or refused", _SAFE),
    ]
    preface = "One model each; normal images are the test images, for attacks the same ones untouched."
    return write_figures_page("Every detector against everything", preface, drawn, ledger, figures)


_AREAS = (
    "AUROC in percent of every detector (rows) on four models against unknown images, and attacks (columns) that may change a pixel "
    "by 0.1, or by 0.2 where the name says so; an adapted one also keeps that very detector's score low. 50 is guessing; below it "
    "attacked images look more normal than untouched ones, also those that have not changed their class. LID is fitted to FGSM. "
    "There is a – where a score is not defined: mixture density without a mixture, ViM where logits are not linear in the features."
)
_SAFE = (
    f"Share of attacked images in percent that do no harm: classified right, or refused at {FALSE_ALARM:.0%} false alarms by the "
    "detector (rows). The attacker's share is what is missing to 100."
)


def _cells(records: Sequence[Record]) -> dict[tuple[str, str, str], float | None]:
    return {((r.protocol or "").partition(",")[0], r.detector or "", r.anomaly or ""): r.value for r in records}
