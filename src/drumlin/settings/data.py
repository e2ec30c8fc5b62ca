"""What to train on, and how its images are varied: settings, without torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """Random variation of training images, each for itself; with the defaults there is none.

    Colours vary as in torchvision's ColorJitter, in an order drawn for each image.

    Raises:
        ValueError: a negative number, an unknown `pad`, a `hue` above 0.5, `flip_alternating` without `flip`.

    >>> AugmentSettings(flip=True, shift=2, plain_epochs=3).in_epoch(7, of=10)
    AugmentSettings(flip=True, flip_alternating=False, crop=0, shift=0, pad='zero', ...cutout=0, plain_epochs=0)
    """

    _later: ClassVar[frozenset[str]] = frozenset(
        ("flip_alternating", "crop", "brightness", "contrast", "saturation", "hue", "plain_epochs")
    )
    """Fields that came when runs had been recorded (see `RunSettings.to_json`)."""

    flip: bool = False
    """Mirror left and right, each image with probability 1/2."""

    flip_alternating: bool = False
    """With flip: leave to chance which images are mirrored in the first epoch only, then mirror each in every other epoch."""

    crop: int = 0
    """Train on random windows, of the images' size, of images brought to so many pixels more along each axis; 0 for none."""

    shift: int = 0
    """Shift by up to so many pixels along each axis (a random crop of the image padded by so many)."""

    pad: Literal["zero", "reflect"] = "zero"
    """What comes in at the border of a shifted image: black, or its reflection."""

    brightness: float = 0.0
    """Multiply all values by a factor of up to so much from 1 (and at least 0)."""

    contrast: float = 0.0
    """Multiply the distance of all values from the image's mean grey by a factor of up to so much from 1 (and at least 0)."""

    saturation: float = 0.0
    """Multiply the distance of all values from their pixel's grey by a factor of up to so much from 1 (and at least 0)."""

    hue: float = 0.0
    """Turn the hue by up to this part of the colour circle, at most 0.5."""

    cutout: int = 0
    """Side in pixels of a square blackened at a random place (clipped at the border); 0 for none."""

    plain_epochs: int = 0
    """Leave out shifts, colours and cutout in so many epochs at the end: the model gets used to images like those it will be asked
    about."""

    def __post_init__(self) -> None:
        for name in ("crop", "shift", "cutout"):
            if getattr(self, name) < 0:
                raise ValueError(f"augment.{name} is {getattr(self, name)}; it is a number of pixels, 0 for none")
        if self.plain_epochs < 0:
            raise ValueError(f"augment.plain_epochs is {self.plain_epochs}; it is a number of epochs, 0 for none")
        if self.pad not in ("zero", "reflect"):
            raise ValueError(f"augment.pad is {self.pad!r}; it is 'zero' or 'reflect'")
        for name in ("brightness", "contrast", "saturation"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"augment.{name} is {getattr(self, name)}; it is a finite number, 0 for none")
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"augment.hue is {self.hue}; it is a part of the colour circle, 0 to 0.5")
        if self.flip_alternating and not self.flip:
            raise ValueError(
                "augment.flip_alternating says how to mirror, and augment.flip is off; give both or neither"
            )

    def in_epoch(self, epoch: int, *, of: int) -> AugmentSettings:
        """Return the variation in one epoch, counted from 0, `of` so many."""
        if epoch < of - self.plain_epochs:
            return dataclasses.replace(self, plain_epochs=0)
        return AugmentSettings(flip=self.flip, flip_alternating=self.flip_alternating, crop=self.crop)


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Which images, from where, and which part of the training split is held out.

    Raises:
        ValueError: `holdout` outside [0, 1), `holdout_max` or `image_size` below 1.

    >>> DataSettings(name="digits:0-7").holdout
    0.1
    """

    name: str = "digits"
    """A data set's name (see `drumlin datasets`), NAME:CLASSES for some of its classes (digits:0-7, cifar10:cat,dog, lfw:dev), or
    folder:PATH for a folder with a folder of images for each class."""

    root: str | None = None
    """Folder that holds the data sets; by default the environment's DRUMLIN_DATA, else the user's cache folder."""

    download: bool = False
    """Download the data set into the root if it is not there."""

    holdout: float = 0.1
    """Fraction of the training split that is set aside, stratified, for calibration and the choice of settings."""

    holdout_max: int = 5000
    """The most samples to set aside."""

    image_size: int | None = None
    """Side in pixels that images are brought to: shorter side resized, centre cropped. By default they stay as they are."""

    augment: AugmentSettings | None = None
    """Variation of the training images; by default what suits the data set."""

    def __post_init__(self) -> None:
        if not 0 <= self.holdout < 1:
            raise ValueError(
                f"holdout is {self.holdout}; it is a fraction of the training split, at least 0 and below 1"
            )
        if self.holdout_max < 1:
            raise ValueError(f"holdout_max is {self.holdout_max}; it is at least 1 (for no hold-out give holdout 0)")
        if self.image_size is not None and self.image_size < 1:
            raise ValueError(f"image_size is {self.image_size}; it is a number of pixels, at least 1")


AUGMENT_DEFAULTS: dict[str, AugmentSettings] = {
    "digits": AugmentSettings(shift=1),
    "mnist": AugmentSettings(shift=2),
    "fashion-mnist": AugmentSettings(flip=True, shift=2),
    "kmnist": AugmentSettings(shift=2),
    "cifar10": AugmentSettings(flip=True, shift=4),
    "cifar100": AugmentSettings(flip=True, shift=4),
    "svhn": AugmentSettings(shift=2),
    "omniglot": AugmentSettings(shift=2),
    "textures": AugmentSettings(flip=True),
    "imagenet": AugmentSettings(flip=True, crop=32),
    "ilsvrc-200": AugmentSettings(crop=22, brightness=0.125, contrast=0.5, saturation=0.5, hue=0.2),
    "casia-webface": AugmentSettings(flip=True, crop=22),
    "frgc": AugmentSettings(flip=True),
    "lfw": AugmentSettings(flip=True, crop=8),
}
"""Data set -> the variation that leaves its classes what they are: no flip for anything written, since a mirrored digit
or letter is another one or none. A data set that is not listed gets none (see `default_augment`).

`ilsvrc-200` and `casia-webface` are I sections 4.1.2 and 4.1.3, for images of 160 pixels. I does not say how far colours vary:
these are the strengths of TensorFlow's Inception preprocessing, whose brightness is added (up to 32/255) where ours multiplies."""


def default_augment(spec: str) -> AugmentSettings:
    """Return the variation that suits the data set named by `spec`: its entry of `AUGMENT_DEFAULTS`, else none.

    A folder gets none: nobody knows whether a mirrored or shifted image of it still belongs to its class (text, left and
    right hands, marks at a place), and a wrong guess costs accuracy without a word.

    Args:
        spec: NAME, NAME:CLASSES or folder:PATH.

    >>> default_augment("cifar10:cat,dog").flip, default_augment("folder:mnist").shift
    (True, 0)
    """
    return AUGMENT_DEFAULTS.get(spec.partition(":")[0], AugmentSettings())
