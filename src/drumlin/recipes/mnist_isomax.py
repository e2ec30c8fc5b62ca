"""MNIST with isomax, center loss and softmax on I's network: I Tables 2 to 5."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from drumlin.recipes.experiment import Experiment
from drumlin.recipes.isomax import Row, measure, published, show
from drumlin.recipes.scales import MNIST, Setting, setting
from drumlin.recipes.variants import Variant
from drumlin.results.record import Scale
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import HeadSettings, head_settings
from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.curves import nearness

ABOUT = "MNIST with isomax, center loss and softmax: steps, neighbours, clusters, FGSM (I Tables 2-5)"

HEADS: dict[str, HeadSettings] = {
    "softmax": head_settings("softmax"),
    "center": head_settings("center"),
    "isotropic": head_settings("isotropic", weight=0.05),
    "triplet": head_settings("triplet", softmax_weight=0.0),
}
"""Losses of I Table 2; it has no more of triplets on MNIST."""

_PUBLISHED = {
    "softmax": Row(98.75, (97.50, 97.81, 97.73), (76.43, 49.28, 25.39), (0.9031, 0.9110)),
    "center": Row(98.44, (98.03, 98.20, 98.05), (77.56, 49.65, 26.01), (0.9270, 0.9098)),
    "isotropic": Row(98.60, (98.20, 98.63, 98.28), (85.20, 54.57, 27.83), (0.9666, 0.9404)),
}

_RATE, _DECAY, _EVERY = 0.1, 0.96, 1000
_STEPS = 55_000 // 128
"""An epoch's: 5,000 of the 60,000 images are held out."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """What a scale decides: network, epochs of `_STEPS`, and how many images are attacked."""

    network: str
    epochs: int
    attacked: int | None


EFFORTS: dict[Scale, Effort] = {
    "cpu": Effort("isomax-mnist", 10, 2000),
    "paper": Effort("isomax-mnist", 82, None),
    "smoke": Effort("digits-cnn", 1, 60),
}
"""Scale → what is done. I trains for 20,000 steps with isomax and 35,000 with center loss: 82 epochs."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: 2-D features, no augmentation, Adagrad from 0.1, times 0.96 every 1000 steps (I §4.1.1)."""
    chosen, effort = setting(MNIST, scale), EFFORTS[scale]
    rows = _PUBLISHED if chosen.data == "mnist" else {}

    def measured(subject: Subject) -> Iterator[TaskResult]:
        row = rows.get(subject.run.settings.head.name)
        return measure(subject, None if row is None else row.attacked, effort.attacked)

    variants = []
    for name, head in HEADS.items():
        error, also = published(rows, name)
        settings = _settings(chosen, effort, head)
        variants.append(Variant(f"{name}, 2-D", {f"lr={_RATE:g}": settings}, chosen.seeds, error, also))
    return Experiment("mnist-isomax", scale, tuple(variants), measured, show=show, probe=nearness)


def _settings(chosen: Setting, effort: Effort, head: HeadSettings) -> RunSettings:
    training = TrainingSettings(
        epochs=effort.epochs,
        batch_size=chosen.batch_size,
        # TensorFlow's Adagrad starts its sums of squares at 0.1, torch's at 0.
        optimizer=OptimizerSettings(
            name="Adagrad", lr=_RATE, weight_decay=0.0, options={"initial_accumulator_value": 0.1}
        ),
        schedule=ScheduleSettings(
            name="exponential", factor=_DECAY, period=min(1.0, _EVERY / (effort.epochs * _STEPS))
        ),
    )
    data = DataSettings(name=chosen.data, augment=AugmentSettings())
    backbone = backbone_settings(effort.network, feature_dim=2)
    return RunSettings(data=data, head=head, backbone=backbone, training=training)
