"""What can be set of each backbone, without torch: flags of the command line and configurations are made of these."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from drumlin._io import unknown

Shortcut = Literal["A", "B"]


@dataclass(frozen=True, kw_only=True)
class BackboneSettings:
    """What every backbone shares: a trunk, then dropout, a linear map to the features and an optional ReLU.

    Raises:
        ValueError: a number is out of its range; the message names it.
    """

    _name: ClassVar[str] = ""

    feature_dim: int = 100
    """Dimension D of the features z, the output of the linear map after the trunk."""
    relu: bool = False
    """ReLU after the linear map, as in the papers' 100-D MNIST setting (L §4.1)."""
    dropout: float = 0.0
    """Probability of dropping each trunk feature before the linear map, in [0, 1); uncertainty by draws needs > 0."""

    def __post_init__(self) -> None:
        _at_least_one(self, "feature_dim")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), not {self.dropout}")

    @property
    def name(self) -> str:
        """The name by which `backbone_settings` finds this backbone."""
        return self._name


@dataclass(frozen=True, kw_only=True)
class DigitsCNNSettings(BackboneSettings):
    """Three 3x3 convolutions with batch normalisation, for 8x8 digits."""

    _name: ClassVar[str] = "digits-cnn"

    width: int = 32
    """Channels of the first convolution; the last two have twice as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least_one(self, "width")


@dataclass(frozen=True, kw_only=True)
class Fast28Settings(BackboneSettings):
    """A 5x5 and four 3x3 convolutions with batch normalisation, for 28x28 images on a processor."""

    _name: ClassVar[str] = "fast-28"

    width: int = 16
    """Channels of the first stage; the next two have 2 and 4 times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least_one(self, "width")


@dataclass(frozen=True, kw_only=True)
class CVPR6Settings(BackboneSettings):
    """The six 5x5 convolutions with PReLU of the papers' MNIST experiments (L §4.1; Wen et al. 2016)."""

    _name: ClassVar[str] = "cvpr-6"


@dataclass(frozen=True, kw_only=True)
class CifarResNetSettings(BackboneSettings):
    """The residual networks for 32x32 images of He et al. 2016, §4.2."""

    depth: ClassVar[int]
    """Layers with weights, 6n + 2, counting a final linear layer."""

    shortcut: Shortcut = "A"
    """Where the channels double: A, zeros as new channels, no parameters (the paper's choice); B, a 1x1 convolution."""


@dataclass(frozen=True, kw_only=True)
class ResNet20Settings(CifarResNetSettings):
    """ResNet-20 for 32x32 images (He et al. 2016)."""

    _name: ClassVar[str] = "resnet-20"
    depth: ClassVar[int] = 20


@dataclass(frozen=True, kw_only=True)
class ResNet32Settings(CifarResNetSettings):
    """ResNet-32 for 32x32 images (He et al. 2016)."""

    _name: ClassVar[str] = "resnet-32"
    depth: ClassVar[int] = 32


@dataclass(frozen=True, kw_only=True)
class ResNet56Settings(CifarResNetSettings):
    """ResNet-56 for 32x32 images (He et al. 2016)."""

    _name: ClassVar[str] = "resnet-56"
    depth: ClassVar[int] = 56


@dataclass(frozen=True, kw_only=True)
class LibrarySettings(BackboneSettings):
    """A model of a library by its name there, its classifier removed."""

    library: ClassVar[str]

    model: str
    """Name of the model in the library."""
    pretrained: bool = False
    """Start from the library's default pretrained weights (downloaded once)."""
    freeze: bool = False
    """Keep the trunk as it is: no gradients for its weights, no running statistics, always in evaluation mode."""

    @property
    def name(self) -> str:
        """The name by which `backbone_settings` finds this backbone, e.g. timm:resnet50."""
        return f"{self.library}:{self.model}"


@dataclass(frozen=True, kw_only=True)
class TorchvisionSettings(LibrarySettings):
    """A classification model of torchvision."""

    library: ClassVar[str] = "torchvision"


@dataclass(frozen=True, kw_only=True)
class TimmSettings(LibrarySettings):
    """A model of timm."""

    library: ClassVar[str] = "timm"


BACKBONES: dict[str, type[BackboneSettings]] = {
    "digits-cnn": DigitsCNNSettings,
    "fast-28": Fast28Settings,
    "cvpr-6": CVPR6Settings,
    "resnet-20": ResNet20Settings,
    "resnet-32": ResNet32Settings,
    "resnet-56": ResNet56Settings,
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
            that
            model is checked when the network is made: that takes importing it.
        fields: fields of that backbone's settings, for example from a run's configuration.

    Raises:
        ValueError: an unknown name or field; the message names the nearest.

    >>> backbone_settings("fast-28", width=24).width
    24
    >>> backbone_settings("timm:resnet50").name
    'timm:resnet50'
    >>> backbone_settings("fast28")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: unknown backbone 'fast28': did you mean 'fast-28'? ...
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


def _at_least_one(settings: BackboneSettings, field: str) -> None:
    value = getattr(settings, field)
    if value < 1:
        raise ValueError(f"{field} must be at least 1, not {value}")
