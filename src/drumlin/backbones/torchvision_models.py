"""torchvision's classification models by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from torch import nn

from drumlin._io import unknown
from drumlin.backbones.base import Normalisation
from drumlin.backbones.library import LibraryTrunk, pretrained_weights
from drumlin.settings.backbones import TorchvisionSettings

_CLASSIFIERS = ("fc", "classifier", "head", "heads")
# Their auxiliary classifiers make the output a tuple; unless told, they warn about their initialisation.
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}


def torchvision_trunk(settings: TorchvisionSettings, *, channels: int, size: tuple[int, int]) -> LibraryTrunk:
    """Return torchvision's model with the last linear layer of its classifier removed.

    Layers of the classifier before the last one, such as the two of VGG, stay. For images with a number of channels
    other than 3 the first convolution is replaced by a new one, which pretrained weights do not allow.

    Args:
        settings: the model's name, and whether with pretrained weights (the library's DEFAULT ones).
        channels: C of the images.
        size: (H, W) in pixels.

    Raises:
        ValueError: an unknown model; one whose classifier has no linear layer; pretrained weights for images that are
            not colour, or that could not be downloaded; images of a size that the model cannot take.
        ImportError: torchvision is missing; the message says how to install it.

    >>> torchvision_trunk(TorchvisionSettings(model="resnet18"), channels=1, size=(32, 32)).out_features
    512
    """
    try:
        models = importlib.import_module("torchvision.models")  # untyped
    except ImportError as error:
        raise ImportError(f"backbone {settings.name!r} needs torchvision: pip install 'drumlin[cli]'") from error
    known = models.list_models(module=models)
    if settings.model not in known:
        raise unknown("torchvision model", settings.model, known)
    if settings.pretrained and channels != 3:
        raise ValueError(
            f"pretrained weights of backbone {settings.name!r} are for 3 channels, not {channels}; repeat the grey "
            "channel (channels=3), take the model from timm, which adapts them, or leave out pretrained"
        )
    with pretrained_weights(settings):
        weights = models.get_model_weights(settings.model).DEFAULT if settings.pretrained else None
        network = models.get_model(settings.model, weights=weights, **_ARGUMENTS.get(settings.model, {}))
    if hasattr(network, "transform_input"):
        # A switch for torchvision's own weights that no saved state holds: it must not depend on `pretrained`, or a
        # model loaded again would differ.
        network.transform_input = channels == 3
    _remove_classifier(network, settings.name)
    if channels != 3:
        _replace_first_convolution(network, channels)
    normalisation = _normalisation(weights.transforms) if weights is not None else None
    return LibraryTrunk(network, settings, channels=channels, size=size, normalisation=normalisation)


def _remove_classifier(network: nn.Module, name: str) -> None:
    linear = [
        path
        for path, module in network.named_modules()
        if isinstance(module, nn.Linear) and path.partition(".")[0] in _CLASSIFIERS
    ]
    if not linear:
        raise ValueError(f"backbone {name!r} has no linear classifier to remove; take another model")
    network.set_submodule(linear[-1], nn.Identity())


def _replace_first_convolution(network: nn.Module, channels: int) -> None:
    path, old = next((path, module) for path, module in network.named_modules() if isinstance(module, nn.Conv2d))
    new = nn.Conv2d(
        channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    network.set_submodule(path, new)


def _normalisation(transforms: Callable[[], Any]) -> Normalisation:
    preset = transforms()
    return tuple(preset.mean), tuple(preset.std)
