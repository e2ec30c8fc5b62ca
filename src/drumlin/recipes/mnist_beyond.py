"""What no paper shows: every detector on four models against unknown images, attacks, and an attack that knows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from drumlin.attacks import BIM, FGSM, PGD, AdaptiveAttack
from drumlin.detectors import detectors_for
from drumlin.recipes.experiment import Experiment, Ledger
from drumlin.recipes.mnist_heads import HEADS
from drumlin.recipes.pages import write_figures_page
from drumlin.recipes.scales import MNIST, Setting, candidates, setting
from drumlin.recipes.tables import in_percent, row_of
from drumlin.recipes.variants import Variant
from drumlin.report.figures.areas import AreaFigure
from drumlin.results import Record, select, table
from drumlin.results.record import Scale
from drumlin.tasks.adversarial import ALL, adapted, adversarial_detection
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.detection import Known, anomalous_sets, detection, fit_detectors, request_to_fit
from drumlin.tasks.robustness import attack_images, robustness
from drumlin.tasks.shown import features_of

ABOUT = "MNIST: every detector against unknown images, attacks, and an attack adapted to that very detector"
ROWS = ("softmax", "center", "gm", "lgm")
ADAPTED = "adapted pgd"
GIVEN = ("head", "hidden", "anomalies")
"""All but draws, for which the networks would need dropout."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """What a scale decides: unknown images, attacks, the one that is adapted, and the number of images that are attacked."""

    unknown: tuple[str, ...]
    attacks: dict[str, AdaptiveAttack]
    adapted: AdaptiveAttack
    images: int


_PGD = PGD(epsilon=0.1, steps=20)
_FULL = Effort(
    ("fashion-mnist", "omniglot", "textures", "noise"),
    {"fgsm": FGSM(epsilon=0.1), "bim": BIM(epsilon=0.1), "pgd": _PGD},
    _PGD,
    500,
)
EFFORTS: dict[str, Effort] = {
    "cpu": _FULL,
    "paper": dataclasses.replace(_FULL, images=10_000),
    "smoke": Effort(("noise",), {"fgsm": FGSM(epsilon=0.1)}, PGD(epsilon=0.1, steps=2), 30),
}
"""Scale → what is done; every attack has the same budget, 0.1 a pixel."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: four models of 100-D features, the learning rate chosen as in mnist-heads."""

    def measure(subject: Subject) -> Iterator[TaskResult]:
        return _measure(subject, EFFORTS[scale])

    return Experiment("mnist-beyond", scale, tuple(_variants(setting(MNIST, scale))), measure, draw, show)


def _variants(scale: Setting) -> Iterator[Variant]:
    for name in ROWS:
        rates = candidates(scale, HEADS[name], feature_dim=100)
        yield Variant(f"{name}, 100-D", rates, scale.seeds[:1])


def _measure(subject: Subject, effort: Effort) -> Iterator[TaskResult]:
    yield classification(subject)
    run = subject.run
    names = detectors_for(run.classifier.head, GIVEN)
    request = request_to_fit(subject, names)
    seen = attack_images(subject, FGSM(epsilon=0.1), limit=effort.images, holdout=True, request=request)
    normals = subject.features(run.holdout_images(), request)
    detectors = fit_detectors(subject, names, known=Known(seen.features, normals))
    yield detection(subject, features_of(anomalous_sets(subject, effort.unknown, request=request)), detectors)
    attacked = {
        name: attack_images(subject, attack, limit=effort.images, request=request)
        for name, attack in effort.attacks.items()
    }
    for name, found in attacked.items():
        yield robustness(subject, found, name, limit=effort.images)
    yield adversarial_detection(subject, attacked, detectors)
    for name, detector in detectors.items():
        found = adapted(subject, effort.adapted, detector, limit=effort.images, request=request)
        yield adversarial_detection(subject, {ADAPTED: found}, {name: detector})
        yield robustness(subject, found, f"{ADAPTED} ({name})", limit=effort.images)


def show(records: Sequence[Record]) -> str:
    """Return AUROCs in percent, a row a model and detector, and the share of attacks that succeed."""
    success = [row_of(in_percent(r)) for r in select(records, task="robustness", metric="success")]
    plain = [r for r in success if not (r.anomaly or "").startswith(ADAPTED)]
    areas = table(_areas(records), rows=["protocol", "detector"], columns=["anomaly"])
    return "\n\n".join(["AUROC, %", areas, "Success, %", table(plain, rows=["protocol"], columns=["anomaly"])])


def _areas(records: Sequence[Record]) -> list[Record]:
    """Return AUROCs in percent, of attacks those over all attacked images."""
    found = select(records, task="detection", metric="auroc")
    chosen = [r for r in found if (r.protocol or "").endswith(("all-test-samples", f"; {ALL}"))]
    return [row_of(in_percent(r)) for r in chosen]


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw all areas as one picture into the folder `figures`, with a page that shows it; return the files."""
    records = [record for variant in ledger.experiment.variants for record in ledger.measurements(variant)]
    cells = {
        ((r.protocol or "").partition(",")[0], r.detector or "", r.anomaly or ""): r.value for r in _areas(records)
    }
    figure = AreaFigure(
        "mnist-beyond",
        cells,
        "AUROC in percent of every detector (rows) on four models against unknown images, and attacks with a budget of 0.1 a pixel "
        f"(columns); {ADAPTED} also keeps that very detector's score low. 50 is guessing; below it attacked images look more normal "
        "than untouched ones. LID is fitted to FGSM.",
    )
    preface = "One model each; normal images are the test images, for attacks the same ones untouched."
    return write_figures_page("Every detector against everything", preface, [figure], ledger, figures)
