"""How far every detector of mnist-beyond holds against PGD that attacks class and score by turns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drumlin.attacks import OrthogonalPGD
from drumlin.recipes.attacks import mnist_beyond
from drumlin.recipes.attacks.mnist_beyond import FALSE_ALARM, fitted, safe_shares, variants
from drumlin.recipes.experiment import Experiment
from drumlin.refusal import Conformal
from drumlin.results import Record, table
from drumlin.results.record import Scale
from drumlin.tasks.adversarial import adversarial_detection, safety, strongest
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.robustness import attack_images, robustness

ABOUT = "MNIST: every detector against PGD that attacks class and score by turns, orthogonal and selective"


@dataclass(frozen=True)
class Effort:
    """What a scale decides: the attack, which is made orthogonal and selective, and how many images it is spent on."""

    attack: OrthogonalPGD
    images: int


EFFORTS: dict[Scale, Effort] = {
    "cpu": Effort(OrthogonalPGD(epsilon=0.2), 200),
    "paper": Effort(OrthogonalPGD(epsilon=0.2, steps=1000), 10_000),
    "smoke": Effort(OrthogonalPGD(epsilon=0.2, steps=3), 20),
}
"""Scale → what is done. At ε = 0.2 PGD fools nearly every image, so that all depends on the detector."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: the models and detectors of mnist-beyond."""

    def measured(subject: Subject) -> Iterator[TaskResult]:
        return _measure(subject, EFFORTS[scale], mnist_beyond.EFFORTS[scale].images)

    return Experiment("mnist-orthogonal", scale, tuple(variants(scale)), measured, show=show)


def _measure(subject: Subject, effort: Effort, known: int) -> Iterator[TaskResult]:
    yield classification(subject)
    detectors, request = fitted(subject, known)
    held_out = subject.features(subject.run.holdout_images(), request)
    for name, detector in detectors.items():
        ways = {
            way: attack_images(
                subject,
                dataclasses.replace(effort.attack, orthogonal=orthogonal),
                limit=effort.images,
                detector=detector,
                request=request,
            )
            for way, orthogonal in (("orthogonal", True), ("selective", False))
        }
        for way, found in ways.items():
            yield robustness(subject, found, f"{way}, against {name}", limit=effort.images)
        met = ways | {"the stronger": strongest([*ways.values()], detector)}
        yield adversarial_detection(subject, met, {name: detector})
        yield safety(subject, met, detector, Conformal(detector.score(held_out), FALSE_ALARM))


def show(records: Sequence[Record]) -> str:
    """Return the share that is right or refused, a row a model and detector."""
    shares = table(safe_shares(records), rows=["protocol", "detector"], columns=["anomaly"])
    return f"Right or refused, %, at {FALSE_ALARM:.0%} false alarms\n\n{shares}"
