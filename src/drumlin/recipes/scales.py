"""What a scale decides of the trainings on a data set: the network, how long, how often, and the learning rates to choose among."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

from drumlin._io import unknown
from drumlin.results.record import Scale
from drumlin.settings.backbones import BackboneSettings, backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import HeadSettings
from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings

_T = TypeVar("_T")

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
    holdout: float = 0.1
    """Part of the training images, of which 5,000 are held out at most."""


_SMOKE = Setting("digits", "digits-cnn", 1, 32, (0, 1), RATES[:2])

MNIST: dict[Scale, Setting] = {
    "cpu": Setting("mnist", "fast-28", 3, 128, (0, 1, 2), RATES),
    "paper": Setting("mnist", "cvpr-6", 20, 128, (0, 1, 2), RATES, augment=AugmentSettings()),
    "smoke": _SMOKE,
}
"""MNIST: a fast network for three epochs, or L's and T's, of whose training nothing is published."""

MNIST_100D: dict[Scale, dict[str, object]] = {"cpu": {}, "paper": {"relu": True}, "smoke": {}}
"""What the network has besides with features of 100 dimensions: L's and T's a ReLU after the linear map (L §4.1)."""

NARROW, NARROW_EPOCHS = 16, 8
"""Channels of the first stage of `fast-32`, a quarter of its own, and its epochs, where it is to train on any two cores."""

FEATURE_SCALE = 1 / 9
"""Factor of the features of `fast-32` where it is trained on CIFAR-10 at high rates: the one its source has on the logits.

What comes out of the trunk begins with a norm of 24, of 12 where it is narrow. Without the factor the first epoch of the whole network
has a mean loss of thousands, and GM falls far behind the other losses on the narrow one (docs/findings/cifar10.md)."""

_T_STEPS = ScheduleSettings(name="step", milestones=(0.5, 0.75), factor=0.1)
_T_AUGMENT = AugmentSettings(flip=True, shift=4, pad="reflect")

CIFAR10: dict[Scale, Setting] = {
    "cpu": Setting("cifar10", "resnet-20", 5, 128, (0,), (0.1,), augment=_T_AUGMENT),
    "paper": Setting("cifar10", "resnet-32", 300, 128, (0, 1, 2), (0.1,), _T_STEPS, _T_AUGMENT),
    "smoke": _SMOKE,
}
"""CIFAR-10 under attack: ResNet-32 for 300 epochs as in T §4.1 and §4.4, or ResNet-20 for five with one cycle of the rate.

Five take 18 minutes on one core without bfloat16; the tables under attack ask for seven trainings."""

CIFAR100: dict[Scale, Setting] = {
    "cpu": Setting("cifar100", "vgg-13", 8, 128, (0,), (0.1,), augment=_T_AUGMENT),
    "paper": Setting("cifar100", "vgg-13", 300, 128, (0, 1, 2), (0.1,), _T_STEPS, _T_AUGMENT),
    "smoke": dataclasses.replace(_SMOKE, rates=RATES[1:2]),
}
"""CIFAR-100: 300 epochs with steps after half and three quarters of them, as on CIFAR-10, or eight with one cycle of the rate.

L and T print no schedule for CIFAR-100. L's code (github.com/WeitaoVan/L-GM-loss, examples/cifar100/simple) has batches of 128, rate
0.1 divided by 10 at 60,000 and 90,000 of 120,000 steps, weight decay 5e-4 and Nesterov's momentum; its snapshots are called
"300epc". So it is the schedule of CIFAR-10, in passes over 50,000 images. Here 300 passes are taken, not 120,000 steps: with 5,000
images held out they are 105,300 steps."""

_T_IMAGENET = ScheduleSettings(name="step", milestones=(0.3, 0.6, 0.9), factor=0.1)
_ONE_CYCLE = ScheduleSettings()

IMAGENET: dict[Scale, Setting] = {
    "cpu": Setting("ilsvrc-200", "torchvision:resnet18", 5, 128, (0,), (0.1,), _ONE_CYCLE, None, 2e-4, 64),
    "paper": Setting("imagenet", "torchvision:resnet50", 100, 256, (0,), (0.1,), _T_IMAGENET, None, 2e-4, 224),
    "smoke": _SMOKE,
}
"""ImageNet: as in T §4.1, or 200 of its classes at 64 pixels on a smaller network."""


def setting(settings: Mapping[Scale, _T], scale: Scale) -> _T:
    """Return the setting of a scale, of whatever kind.

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
    data = DataSettings(name=scale.data, augment=scale.augment, image_size=scale.image_size, holdout=scale.holdout)
    return RunSettings(data=data, head=head, backbone=backbone, training=training)
