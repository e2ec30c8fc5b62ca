"""timm's models by name."""

from __future__ import annotations

import importlib

from drumlin._io import unknown
from drumlin.backbones.library import LibraryTrunk, pretrained_weights
from drumlin.settings.backbones import TimmSettings


def timm_trunk(settings: TimmSettings, *, channels: int, size: tuple[int, int]) -> LibraryTrunk:
    """Return timm's model without its classifier (`num_classes=0`).

    For images with a number of channels other than 3 timm builds the first convolution for them, and sums or repeats
    the pretrained weights of the colours (`in_chans`).

    Args:
        settings: the model's name (`resnet50`, or with the tag of its weights `resnet50.a1_in1k`), and whether
            pretrained.
        channels: C of the images.
        size: (H, W) in pixels.

    Raises:
        ValueError: an unknown model; pretrained weights that could not be downloaded; images of a size it cannot take.
        ImportError: timm is missing; the message says how to install it.

    >>> timm_trunk(TimmSettings(model="resnet18"), channels=1, size=(32, 32)).out_features
    512
    """
    try:
        timm = importlib.import_module("timm")  # untyped
    except ImportError as error:
        raise ImportError(f"backbone {settings.name!r} needs timm: pip install 'drumlin[timm]'") from error
    if not timm.is_model(settings.model):
        raise unknown("timm model", settings.model, timm.list_models())
    with pretrained_weights(settings):
        network = timm.create_model(settings.model, pretrained=settings.pretrained, num_classes=0, in_chans=channels)
    normalisation = None
    if settings.pretrained:
        mean, std = network.pretrained_cfg["mean"], network.pretrained_cfg["std"]
        # Grey weights are sums over the colours: their mean and deviation are the colours' averages.
        normalisation = (
            (tuple(mean), tuple(std))
            if channels == 3
            else ((sum(mean) / len(mean),) * channels, (sum(std) / len(std),) * channels)
        )
    return LibraryTrunk(network, settings, channels=channels, size=size, normalisation=normalisation)
