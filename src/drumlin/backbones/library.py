"""What torchvision's and timm's models share without their classifier: width and hidden layers, found by trying."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Normalisation, Trunk, record_outputs
from drumlin.settings.backbones import LibrarySettings


class LibraryTrunk(Trunk):
    """A library's network without its classifier, tried once on a blank image to learn its width and its layers.

    Hidden layers are the network's children and the members of those that are sequences, as far as they give (N, D),
    tokens (N, T, D) or maps (N, C, h, w); maps with the channels last (Swin's) are left out, for nothing but their
    shape tells them.

    Args:
        network: images (N, C, H, W) → (N, F).
        settings: for messages.
        channels: C of the images.
        size: (H, W) in pixels.
        normalisation: what pretrained weights expect of the images; None without.

    Raises:
        ValueError: the network cannot take images of that size, or does not give one vector an image.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: LibrarySettings,
        *,
        channels: int,
        size: tuple[int, int],
        normalisation: Normalisation | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.normalisation = normalisation
        # The classifier's place is an Identity now: its output is the trunk's, under another name.
        candidates = {name: layer for name, layer in _layers(network) if not isinstance(layer, nn.Identity)}
        try:
            output, hidden = _try(network, candidates, torch.zeros(2, channels, *size))
        except (RuntimeError, AssertionError, ValueError) as error:
            raise ValueError(
                f"backbone {settings.name!r} cannot take images of {size[0]}x{size[1]} pixels with {channels} channels "
                f"({error}); resize them (image_size; most of these networks are made for 224) or take another backbone"
            ) from error
        if not isinstance(output, Tensor) or output.dim() != 2:
            raise ValueError(f"backbone {settings.name!r} does not give one vector an image; take another model")
        self.out_features = output.shape[1]
        self._hidden = tuple(name for name in candidates if name in hidden)

    def hidden_modules(self) -> dict[str, nn.Module]:
        """Return the layers usable for hidden features, by their name in the library's network."""
        return {name: self.network.get_submodule(name) for name in self._hidden}

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the features before the classifier."""
        features: Tensor = self.network(x)
        return features


@contextmanager
def pretrained_weights(settings: LibrarySettings) -> Iterator[None]:
    """Load inside the block only tensors, never code, and say clearly what was wrong if a download fails.

    Both libraries leave loading to `torch.load`, torchvision with the unsafe setting; the environment variable outranks
    it.
    """
    if not settings.pretrained:
        yield
        return
    variable = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(variable)
    os.environ[variable] = "1"
    try:
        yield
    except Exception as error:  # whatever the downloading library raises: OSError, RuntimeError or an error of its own
        raise ValueError(
            f"pretrained weights of backbone {settings.name!r} could not be had ({type(error).__name__}: {error}); "
            "connect to the network once, so that they are kept in the cache, or leave out pretrained"
        ) from error
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before


def _layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, child in network.named_children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from ((f"{name}.{inner}", module) for inner, module in child.named_children())
        yield name, child


def _try(network: nn.Module, layers: dict[str, nn.Module], x: Tensor) -> tuple[object, set[str]]:
    training = network.training
    network.eval()
    with torch.no_grad(), record_outputs(layers, transform=lambda output: output) as outputs:
        result = network(x)
    network.train(training)
    return result, {name for name, output in outputs.items() if _is_poolable(output.shape, x.shape)}


def _is_poolable(output: torch.Size, image: torch.Size) -> bool:
    if output[0] != image[0]:
        return False
    if len(output) < 4:
        return True
    height, width = output[2:]
    return height <= image[2] and width <= image[3] and (height == width or image[2] != image[3])
