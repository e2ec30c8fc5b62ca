"""Settings that say "as is best", replaced by what that is here: a run's configuration holds numbers alone."""

from __future__ import annotations

import dataclasses
import math

import torch

from drumlin.model import resolve_precision
from drumlin.settings.data import AugmentSettings, default_augment
from drumlin.settings.run import RunSettings

_EPOCHS, _LEAST_STEPS = 12, 1500
_BATCH, _STEPS_AN_EPOCH, _SMALLEST_BATCH = 128, 32, 8


def resolve(settings: RunSettings, num_images: int, device: torch.device) -> RunSettings:
    """Return `settings` with every None and "auto" decided: two runs of equal resolved settings end alike.

    Batch: 128, or for few images the power of two that makes at least 32 steps an epoch, 8 at least. Epochs: 12, or as many as
    make 1500 steps. Warm-up and annealing of a head: as it says. Augmentation: that of the data set. Precision: that of the device.

    Args:
        settings: as the user gave them.
        num_images: in the training set, without the hold-out.
        device: to train on.

    Raises:
        ValueError: an unknown precision.
    """
    data, head, training = settings.data, settings.head, settings.training
    if data.augment is None:
        data = dataclasses.replace(data, augment=default_augment(data.name))
    batch_size = training.batch_size or _batch_size(num_images)
    steps = steps_per_epoch(num_images, batch_size)
    epochs = training.epochs or max(_EPOCHS, math.ceil(_LEAST_STEPS / steps))
    precision = resolve_precision(training.precision, device)
    training = dataclasses.replace(training, epochs=epochs, batch_size=batch_size, precision=precision)  # type: ignore[arg-type]
    return dataclasses.replace(settings, data=data, head=head.resolved(steps * epochs), training=training)


def steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Return the steps of an epoch: a last batch that is not full is left out, unless it is the only one.

    >>> steps_per_epoch(100, 32), steps_per_epoch(10, 32)
    (3, 1)
    """
    return max(1, num_images // batch_size)


def _batch_size(num_images: int) -> int:
    fitting = 1 << max(1, num_images // _STEPS_AN_EPOCH).bit_length() - 1
    return min(_BATCH, max(_SMALLEST_BATCH, fitting))


def check_augmentation(augment: AugmentSettings, size: tuple[int, int], epochs: int | None) -> None:
    """Refuse, before a run begins, a shift that images of `size` have no reflection for, and more plain epochs than there are."""
    if epochs is not None and augment.plain_epochs > epochs:
        raise ValueError(f"augment.plain_epochs is {augment.plain_epochs}: the training has {epochs} epochs")
    if augment.pad == "reflect" and augment.shift >= min(size):
        raise ValueError(
            f"augment.shift is {augment.shift}: images of {size[0]}x{size[1]} can be shifted by {min(size) - 1} pixels at most with"
            " reflected borders"
        )
