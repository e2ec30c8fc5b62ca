"""The network of the papers' MNIST experiments."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size, initialise
from drumlin.settings.backbones import CVPR6Settings

_SLOPE = 0.25


class CVPR6(Trunk):
    """Three stages of two 5x5 convolutions with PReLU, of 32, 64 and 128 channels, each followed by 2x2 max pooling.

    "A network with 6 convolution layers" is all that the papers say (L §4.1, T §4.1); their comparison is with the
    center loss, and this is its network, LeNets++ (Wen et al. 2016, Table 1). No batch normalisation; one PReLU slope a
    channel, from 0.25.

    Args:
        settings: none of its own.
        channels: C of the images.
        size: (H, W) in pixels; F = 128·⌊H/8⌋·⌊W/8⌋, 1152 for 28x28 images.

    Raises:
        ValueError: images smaller than 8x8.

    >>> CVPR6(CVPR6Settings(), channels=1, size=(28, 28)).out_features
    1152
    """

    def __init__(self, settings: CVPR6Settings, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        check_size(settings.name, size, 8)
        self.stage1 = _stage(channels, 32)
        self.stage2 = _stage(32, 64)
        self.stage3 = _stage(64, 128)
        self.out_features = 128 * (size[0] // 8) * (size[1] // 8)
        initialise(self, negative_slope=_SLOPE)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the flattened last maps."""
        x = self.stage3(self.stage2(self.stage1(x)))
        return x.flatten(1)


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 5, padding=2),
        nn.PReLU(outputs, init=_SLOPE),
        nn.Conv2d(outputs, outputs, 5, padding=2),
        nn.PReLU(outputs, init=_SLOPE),
        nn.MaxPool2d(2),
    )
