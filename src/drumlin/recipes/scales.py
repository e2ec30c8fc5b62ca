"""What a scale decides of the trainings on a data set: the network, how long, how often, and the learning rates to choose among."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from drumlin._io import unknown
from drumlin.results.record import Scale
from drumlin.settings.backbones import BackboneSettings, backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import HeadSettings
from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings

RATES = (0.01, 0.03, 0.1, 0.3)
"""The same four learning rates are tried for every head, where there are several."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a scale decides."""

    data: str
    backbone: str
    epochs: int
    batch_size: int
    seeds: tuple[int, ...]
    rates: tuple[float, ...]
    schedule: ScheduleSettings = dataclasses.field(default_factory=ScheduleSettings)
    augment: AugmentSettings | None = None
    weight_decay: float = 5e-4
    image_size: int | None = None


_SMOKE = Setting("digits", "digits-cnn", 1, 32, (0, 1), RATES[:2])

MNIST: dict[Scale, Setting] = {
    "cpu": Setting("mnist", "fast-28", 3, 128, (0, 1, 2), RATES),
    "paper": Setting("mnist", "cvpr-6", 20, 128, (0, 1, 2), RATES),
    "smoke": _SMOKE,
}
"""MNIST: a fast network for three epochs, or L's and T's."""

_T_STEPS = ScheduleSettings(name="step", milestones=(0.5, 0.75), factor=0.1)
_T_AUGMENT = AugmentSettings(flip=True, shift=4, pad="reflect")

CIFAR10: dict[Scale, Setting] = {
    "cpu": Setting("cifar10", "resnet-20", 8, 128, (0,), (0.1,), augment=_T_AUGMENT),
    "paper": Setting("cifar10", "resnet-32", 300, 128, (0, 1, 2), (0.1,), _T_STEPS, _T_AUGMENT),
    "smoke": _SMOKE,
}
"""CIFAR-10 under attack: ResNet-32 for 300 epochs as in T §4.2 and §4.4, or ResNet-20 for eight with one cycle of the rate."""

_T_IMAGENET = ScheduleSettings(name="step", milestones=(0.3, 0.6, 0.9), factor=0.1)
_ONE_CYCLE = ScheduleSettings()

IMAGENET: dict[Scale, Setting] = {
    "cpu": Setting("ilsvrc-200", "torchvision:resnet18", 5, 128, (0,), (0.1,), _ONE_CYCLE, None, 2e-4, 64),
    "paper": Setting("imagenet", "torchvision:resnet50", 100, 256, (0,), (0.1,), _T_IMAGENET, None, 2e-4, 224),
    "smoke": _SMOKE,
}
"""ImageNet: as in T §4.2, or 200 of its classes at 64 pixels on a smaller network."""


def setting(settings: Mapping[Scale, Setting], scale: Scale) -> Setting:
    """Return the setting of a scale.

    Raises:
        ValueError: there is none; the message names those there are.
    """
    if scale not in settings:
        raise unknown("scale", scale, settings)
    return settings[scale]


def candidates(scale: Setting, head: HeadSettings, **backbone: object) -> dict[str, RunSettings]:
    """Return a training a learning rate by a short name, e.g. "lr=0.1".

    Args:
        scale: what the scale decides.
        head: of the model.
        backbone: fields of its backbone's settings.
    """
    network = backbone_settings(scale.backbone, **backbone)
    return {f"lr={rate:g}": run_settings(scale, head, network, rate) for rate in scale.rates}


def run_settings(scale: Setting, head: HeadSettings, backbone: BackboneSettings, rate: float) -> RunSettings:
    """Return the settings of a training at a learning rate."""
    training = TrainingSettings(
        epochs=scale.epochs,
        batch_size=scale.batch_size,
        optimizer=OptimizerSettings(lr=rate, weight_decay=scale.weight_decay),
        schedule=scale.schedule,
    )
    data = DataSettings(name=scale.data, augment=scale.augment, image_size=scale.image_size)
    return RunSettings(data=data, head=head, backbone=backbone, training=training)
