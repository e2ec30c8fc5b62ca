"""What can be set of each backbone, without torch: flags of the command line and configurations are made of these."""

from __future__ import annotations

import dataclasses
from typing import Any

from drumlin._io import unknown
from drumlin.settings.backbones.base import BackboneSettings
from drumlin.settings.backbones.fast import DigitsCNNSettings, Fast28Settings, Fast32Settings
from drumlin.settings.backbones.library import LibrarySettings, TimmSettings, TorchvisionSettings
from drumlin.settings.backbones.papers import (
    CifarResNetSettings,
    CVPR6Settings,
    Face27Settings,
    InceptionResNetV1Settings,
    IsomaxCifarSettings,
    IsomaxMNISTSettings,
    ResNet20Settings,
    ResNet32Settings,
    ResNet56Settings,
    ResNet110Settings,
    Shortcut,
    VGG13Settings,
)

__all__ = [
    "BACKBONES",
    "LIBRARIES",
    "BackboneSettings",
    "CVPR6Settings",
    "CifarResNetSettings",
    "DigitsCNNSettings",
    "Face27Settings",
    "Fast28Settings",
    "Fast32Settings",
    "InceptionResNetV1Settings",
    "IsomaxCifarSettings",
    "IsomaxMNISTSettings",
    "LibrarySettings",
    "ResNet20Settings",
    "ResNet32Settings",
    "ResNet56Settings",
    "ResNet110Settings",
    "Shortcut",
    "TimmSettings",
    "TorchvisionSettings",
    "VGG13Settings",
    "backbone_settings",
    "default_backbone",
]

BACKBONES: dict[str, type[BackboneSettings]] = {
    "digits-cnn": DigitsCNNSettings,
    "fast-28": Fast28Settings,
    "fast-32": Fast32Settings,
    "cvpr-6": CVPR6Settings,
    "resnet-20": ResNet20Settings,
    "resnet-32": ResNet32Settings,
    "resnet-56": ResNet56Settings,
    "resnet-110": ResNet110Settings,
    "vgg-13": VGG13Settings,
    "isomax-mnist": IsomaxMNISTSettings,
    "isomax-cifar": IsomaxCifarSettings,
    "face-27": Face27Settings,
    "inception-resnet-v1": InceptionResNetV1Settings,
}
"""The library's own backbones by name."""

LIBRARIES: dict[str, type[LibrarySettings]] = {"torchvision": TorchvisionSettings, "timm": TimmSettings}
"""Libraries whose models are named LIBRARY:MODEL."""

_DATA_SIZES = {"digits": 8, "mnist": 28, "fashion-mnist": 28, "kmnist": 28, "cifar10": 32, "cifar100": 32, "svhn": 32}
_SIZE_DEFAULTS = {8: "digits-cnn", 28: "fast-28", 32: "resnet-20"}
_OTHER_DEFAULT = "torchvision:resnet18"


def backbone_settings(name: str, **fields: Any) -> BackboneSettings:
    """Return the settings of the backbone called `name`, its defaults replaced by `fields`.

    Args:
        name: one of `BACKBONES`, or a library's model as `torchvision:MODEL` or `timm:MODEL`. Whether the library has
            that model is checked when the network is made: that takes importing it.
        fields: fields of that backbone's settings, for example from a run's configuration.

    Raises:
        ValueError: an unknown name or field; the message names the nearest.

    >>> backbone_settings("fast-28", width=24).width
    24
    >>> backbone_settings("timm:resnet50").name
    'timm:resnet50'
    >>> backbone_settings("cvpr6")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: unknown backbone 'cvpr6': did you mean 'cvpr-6'? ...
    """
    library, colon, model = name.partition(":")
    kind: type[BackboneSettings]
    if colon and library in LIBRARIES and model:
        kind, fields = LIBRARIES[library], {**fields, "model": model}
    elif name in BACKBONES:
        kind = BACKBONES[name]
    else:
        raise unknown("backbone", name, [*BACKBONES, *(f"{library}:MODEL" for library in LIBRARIES)])
    known = [field.name for field in dataclasses.fields(kind)]
    for field in fields:
        if field not in known:
            raise unknown(f"setting of backbone {name!r}", field, known)
    return kind(**fields)


def default_backbone(data: str | tuple[int, int | tuple[int, int]]) -> str:
    """Return the name of the backbone used where none is asked for.

    digits-cnn for 8x8 images, fast-28 for 28x28, resnet-20 for 32x32, torchvision:resnet18 for all others.

    Args:
        data: name of a data set, classes after a colon ignored, for its images at their own size (a folder's are taken
            to be of none of these sizes); or (channels, size), size in pixels as side or (height, width).

    >>> default_backbone("digits:0-7"), default_backbone((3, 32)), default_backbone("folder:photos")
    ('digits-cnn', 'resnet-20', 'torchvision:resnet18')
    """
    if isinstance(data, str):
        side = _DATA_SIZES.get(data.partition(":")[0], 0)
    else:
        height, width = data[1] if isinstance(data[1], tuple) else (data[1], data[1])
        side = height if height == width else 0
    return _SIZE_DEFAULTS.get(side, _OTHER_DEFAULT)
