"""What the isomax paper measures of a model, on any data set: its Tables 2 to 5, and Figs. 5 and 6.

Table 4's three ε cannot be meant for pixels in [0, 1]: 0.003 does not take an MNIST classifier to 76%. So the accuracy under FGSM
is measured at many ε, and of the factors on all three the one is looked for with which they fit best.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from drumlin.attacks import FGSM
from drumlin.recipes import feature_space
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.isomax.figures import draw, near
from drumlin.recipes.scales import Setting
from drumlin.recipes.tables import row_of
from drumlin.recipes.variants import Measured, Published, Variant
from drumlin.results import Record, in_percent, select, table
from drumlin.results.record import Scale
from drumlin.settings.backbones import BackboneSettings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import HeadSettings, head_settings
from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.convergence import TASK as CONVERGENCE
from drumlin.tasks.robustness import attack_images, robustness

PUBLISHED_EPSILONS = (0.003, 0.01, 0.03)
_LEAST, _MOST, _POINTS = 1.434e-4, 0.5, 22
EPSILONS = tuple(sorted({*PUBLISHED_EPSILONS, *(float(f"{e:.3g}") for e in np.geomspace(_LEAST, _MOST, _POINTS))}))
"""ε on pixels in [0, 1] at which accuracy is measured, from a twentieth of I's least to half of their range."""

HEADS: dict[str, HeadSettings] = {
    "softmax": head_settings("softmax"),
    "center": head_settings("center"),
    "isotropic": head_settings("isotropic", weight=0.05),
}
"""The losses that I compares on every data set."""

_RATE, _DECAY, _EVERY = 0.1, 0.96, 1000


@dataclasses.dataclass(frozen=True)
class Row:
    """What I has of a loss: accuracies in percent of Tables 3 and 4 (None: not attacked), NMI of Table 5, steps of Table 2."""

    accuracy: float
    neighbours: tuple[float, float, float]
    attacked: tuple[float, float, float] | None
    nmi: tuple[float, float]
    steps: int | None = None

    def values(self) -> dict[Measured, Published]:
        """Return these in the units of records."""
        found = {
            Measured("neighbours", "accuracy", protocol=f"k={k}, features as they are"): Published(a / 100, "I Table 3")
            for k, a in zip((1, 5, 10), self.neighbours, strict=True)
        }
        found |= {
            Measured("clusters", "nmi", protocol=f"{name}, geometric mean"): Published(nmi, "I Table 5")
            for name, nmi in zip(("k-means", "ward"), self.nmi, strict=True)
        }
        found |= {
            Measured("robustness", "error", anomaly=f"fgsm(epsilon={epsilon})"): Published(
                round(1 - a / 100, 6), "I Table 4"
            )
            for epsilon, a in zip(PUBLISHED_EPSILONS, self.attacked or (), strict=self.attacked is not None)
        }
        return found | steps_to_converge(self.steps)

    @property
    def error(self) -> Published:
        """Test error, a fraction."""
        return Published(1 - self.accuracy / 100, "I Table 3")


def steps_to_converge(steps: int | None) -> dict[Measured, Published]:
    """Return what I Table 2 has of a loss beside the steps measured; nothing where it has nothing."""
    return {} if steps is None else {Measured(CONVERGENCE, "steps"): Published(steps, "I Table 2")}


def measure(subject: Subject, attacked: Sequence[float] | None, images: int | None) -> Iterator[TaskResult]:
    """Yield error, steps to converge, geometry, neighbours, clusters, and error under FGSM with the scale that fits Table 4.

    Args:
        subject: the run.
        attacked: accuracies in percent at I's three ε; None where it has none.
        images: that are attacked; None for all.
    """
    yield from feature_space.measure(subject)
    accuracies = []
    for epsilon in EPSILONS:
        found = attack_images(subject, FGSM(epsilon=epsilon), limit=images)
        result = robustness(subject, found, f"fgsm(epsilon={epsilon})", limit=images)
        yield result
        (error,) = select(result.records, metric="error")
        assert error.value is not None
        accuracies.append(1 - error.value)
    if attacked is not None:
        yield _scale(subject, accuracies, [a / 100 for a in attacked], images)


def _scale(subject: Subject, accuracies: Sequence[float], published: Sequence[float], images: int | None) -> TaskResult:
    scale, misfit = fitting_scale(EPSILONS, accuracies, PUBLISHED_EPSILONS, published)
    facts = {"split": "test", "anomaly": "fgsm", "n": images}
    return TaskResult(
        [
            subject.record("robustness", "epsilon-scale", scale, unit="times I's", **facts),
            subject.record("robustness", "epsilon-scale-misfit", misfit, unit="ratio", **facts),
        ]
    )


def fitting_scale(
    epsilons: Sequence[float], accuracies: Sequence[float], given: Sequence[float], published: Sequence[float]
) -> tuple[float, float]:
    """Return the factor on all `given` ε at which measured accuracies are nearest to the published, and their RMS difference there.

    Where they are nearest at an end of what was measured, the factor may lie beyond it: both are NaN then.

    Args:
        epsilons: at which accuracy was measured, ascending; between them it is linear in log ε, and outside nothing is assumed: all
            given ε, times the factor, lie within.
        accuracies: measured, fractions.
        given: the published ε.
        published: accuracies there, fractions.

    >>> fitting_scale((0.01, 0.1, 1.0, 10.0), (1.0, 0.5, 0.0, 0.0), (0.02, 0.2), (0.5, 0.0))
    (5.0, 0.0)
    """
    measured_at, asked_at = np.log(epsilons), np.log(given)
    steps = np.linspace(measured_at[0] - asked_at.min(), measured_at[-1] - asked_at.max(), 2001)
    found = np.interp(asked_at + steps[:, None], measured_at, np.asarray(accuracies))
    misfits = np.sqrt(((found - np.asarray(published)) ** 2).mean(1))
    best = int(misfits.argmin())
    if best in (0, len(steps) - 1):
        return math.nan, math.nan
    return round(float(np.exp(steps[best])), 3), round(float(misfits[best]), 12)


def show(records: Sequence[Record]) -> str:
    """Return Tables 2 to 5; published values are in parentheses."""
    parts = [feature_space.show(records)]
    rows = [row_of(in_percent(r)) for r in select(records, task="robustness", metric="error")]
    parts += ["Error under FGSM, %", table(rows, rows=["anomaly"], columns=["protocol"], published=True)]
    scales = [row_of(r) for name in ("epsilon-scale", "epsilon-scale-misfit") for r in select(records, metric=name)]
    if scales:
        parts += ["Factor on I's epsilons", table(scales, rows=["protocol"], columns=["metric"])]
    return "\n\n".join(parts)


def published(rows: Mapping[str, Row], name: str) -> tuple[Published | None, dict[Measured, Published]]:
    """Return what stands beside a row's error, and beside its other numbers."""
    row = rows.get(name)
    return (None, {}) if row is None else (row.error, row.values())


@dataclasses.dataclass(frozen=True)
class Effort:
    """What a scale decides of I's experiments on MNIST and CIFAR-10.

    Attributes:
        network: the backbone, with the dimension of its features.
        epochs: of the training.
        steps: an epoch's, with the hold-out left out: the learning rate falls by steps.
        attacked: how many test images are attacked; None for all.
        every: steps between two points of I's Figs. 5 and 6 within an epoch.
    """

    network: BackboneSettings
    epochs: int
    steps: int
    attacked: int | None
    every: int


def experiment(
    name: str, scale: Scale, chosen: Setting, effort: Effort, heads: Mapping[str, HeadSettings], rows: Mapping[str, Row]
) -> Experiment:
    """Return I's experiment on a small data set: no augmentation, Adagrad from 0.1, times 0.96 every 1000 steps (I §4.1.1).

    Args:
        name: of the recipe.
        scale: of the experiment.
        chosen: data, batch size and seeds of the scale.
        effort: network and length of the scale.
        heads: row → loss; I's own row is found by the loss's name.
        rows: name of a head → what I has of it.
    """

    def measured(subject: Subject) -> Iterator[TaskResult]:
        row = rows.get(subject.run.settings.head.name)
        return measure(subject, None if row is None else row.attacked, effort.attacked)

    variants = []
    for row, head in heads.items():
        error, also = published(rows, row)
        candidates = {f"lr={_RATE:g}": _settings(chosen, effort, head)}
        variants.append(Variant(f"{row}, {effort.network.feature_dim}-D", candidates, chosen.seeds, error, also))
    return Experiment(name, scale, tuple(variants), measured, draw, show, probe=near, probe_every=effort.every)


def _settings(chosen: Setting, effort: Effort, head: HeadSettings) -> RunSettings:
    training = TrainingSettings(
        epochs=effort.epochs,
        batch_size=chosen.batch_size,
        # TensorFlow's Adagrad starts its sums of squares at 0.1, torch's at 0.
        optimizer=OptimizerSettings(
            name="Adagrad", lr=_RATE, weight_decay=0.0, options={"initial_accumulator_value": 0.1}
        ),
        schedule=ScheduleSettings(
            name="exponential", factor=_DECAY, period=min(1.0, _EVERY / (effort.epochs * effort.steps))
        ),
    )
    data = DataSettings(name=chosen.data, augment=AugmentSettings())
    return RunSettings(data=data, head=head, backbone=effort.network, training=training)
