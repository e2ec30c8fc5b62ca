"""Images → features: the papers' networks and the fast ones, each in its file; torchvision's and timm's by name."""

from __future__ import annotations

from collections.abc import Callable

from drumlin.backbones.base import Backbone, Trunk
from drumlin.backbones.cifar_resnet import CifarResNet
from drumlin.backbones.cvpr6 import CVPR6
from drumlin.backbones.digits_cnn import DigitsCNN
from drumlin.backbones.face27 import Face27
from drumlin.backbones.fast28 import Fast28
from drumlin.backbones.fast32 import Fast32
from drumlin.backbones.inception_resnet_v1 import InceptionResNetV1
from drumlin.backbones.isomax_cifar import IsomaxCifar
from drumlin.backbones.isomax_mnist import IsomaxMNIST
from drumlin.backbones.timm_models import timm_trunk
from drumlin.backbones.torchvision_models import torchvision_trunk
from drumlin.backbones.vgg13 import VGG13
from drumlin.settings.backbones import BackboneSettings, LibrarySettings

__all__ = ["BUILDERS", "Backbone", "Trunk", "create_backbone"]

BUILDERS: dict[str, Callable[..., Trunk]] = {
    "digits-cnn": DigitsCNN,
    "fast-28": Fast28,
    "fast-32": Fast32,
    "cvpr-6": CVPR6,
    "resnet-20": CifarResNet,
    "resnet-32": CifarResNet,
    "resnet-56": CifarResNet,
    "resnet-110": CifarResNet,
    "vgg-13": VGG13,
    "isomax-mnist": IsomaxMNIST,
    "isomax-cifar": IsomaxCifar,
    "face-27": Face27,
    "inception-resnet-v1": InceptionResNetV1,
    "torchvision": torchvision_trunk,
    "timm": timm_trunk,
}
"""Backbone, or library before the colon → builder (settings, *, channels, size=(H, W)) of its trunk."""


def create_backbone(settings: BackboneSettings, *, channels: int, size: int | tuple[int, int]) -> Backbone:
    """Return the network that `settings` describe, initialised from torch's global generator.

    Args:
        settings: from `backbone_settings(name)`.
        channels: channels of the images.
        size: their size in pixels: the side, or (height, width).

    Raises:
        ValueError: images that the network cannot take; a `feature_dim` that is not the trunk's, without `linear`;
            `pretrained` weights that are not to be had; a library's unknown model.
        ImportError: the library named is not installed.

    >>> from drumlin.settings.backbones import backbone_settings
    >>> create_backbone(backbone_settings("resnet-20"), channels=3, size=32).feature_dim
    100
    """
    if channels < 1:
        raise ValueError(f"channels must be at least 1, not {channels}")
    height, width = (size, size) if isinstance(size, int) else size
    builder = BUILDERS[settings.name.partition(":")[0]]
    trunk = builder(settings, channels=channels, size=(height, width))
    return Backbone(
        trunk,
        in_channels=channels,
        feature_dim=settings.feature_dim,
        relu=settings.relu,
        dropout=settings.dropout,
        linear=settings.linear,
        scale=settings.feature_scale,
        freeze=isinstance(settings, LibrarySettings) and settings.freeze,
    )
