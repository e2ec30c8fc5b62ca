"""Settings of the networks that the papers used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from drumlin.settings.backbones.base import BackboneSettings, at_least_one

Shortcut = Literal["A", "B"]


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
class ResNet110Settings(CifarResNetSettings):
    """ResNet-110 for 32x32 images (He et al. 2016)."""

    _name: ClassVar[str] = "resnet-110"
    depth: ClassVar[int] = 110


@dataclass(frozen=True, kw_only=True)
class VGG13Settings(BackboneSettings):
    """The 13 convolutions with batch normalisation of the papers' CIFAR-100 experiments (L §4.1; Liu et al. 2016)."""

    _name: ClassVar[str] = "vgg-13"

    width: int = 96
    """Filters of the first stage; the next two have 2 and 4 times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(self, "width")


@dataclass(frozen=True, kw_only=True)
class IsomaxMNISTSettings(BackboneSettings):
    """Isomax's network for MNIST: two 5x5 convolutions and a fully connected layer of 1024 (I Table 1)."""

    _name: ClassVar[str] = "isomax-mnist"

    feature_dim: int = 2
    """Dimension D of the features z, the output of the linear map after the trunk."""
    dropout: float = 0.2
    """Probability of dropping each trunk feature before the linear map; I's 0.8 is the probability of keeping it."""
    batch_norm: bool = False
    """Batch normalisation after each convolution; Table 1 lists none."""


@dataclass(frozen=True, kw_only=True)
class IsomaxCifarSettings(BackboneSettings):
    """Isomax's network for CIFAR-10: three blocks of four 3x3 convolutions (I §4.1.1)."""

    _name: ClassVar[str] = "isomax-cifar"

    dropout: float = 0.2
    """Probability of dropping each trunk feature before the linear map; I's 0.8 is the probability of keeping it."""
    batch_norm: bool = True
    """Batch normalisation after each convolution (I §3.2.3, which does not say where)."""


@dataclass(frozen=True, kw_only=True)
class Face27Settings(BackboneSettings):
    """The residual network of 27 convolutions with PReLU for faces (L §4.2; Wen et al. 2016)."""

    _name: ClassVar[str] = "face-27"

    feature_dim: int = 512
    """Dimension D of the features z, the output of the linear map after the trunk."""


@dataclass(frozen=True, kw_only=True)
class InceptionResNetV1Settings(BackboneSettings):
    """Inception-ResNet-v1 (Szegedy et al. 2017) as FaceNet's code has it, for 160x160 images (I §4.1.2)."""

    _name: ClassVar[str] = "inception-resnet-v1"

    dropout: float = 0.2
    """Probability of dropping each trunk feature before the linear map (Szegedy et al. 2017: 0.8 is kept)."""
