"""The network of the papers' face experiments."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size
from drumlin.backbones.narrow import NarrowConv2d
from drumlin.settings.backbones import Face27Settings

_SLOPE = 0.25


class Face27(Trunk):
    """27 convolutions of 3x3, each with PReLU: 2, 1, 1 and 1 with max pooling, and 1, 2, 5 and 3 residual blocks between.

    "The ResNet based face recognition model with 27 convolutional layers", PReLU after each, no batch normalisation and no
    dropout, is all that L and T say. It is the network of the center loss's published code (Wen et al. 2016,
    github.com/ydwen/caffe-face, face_example), and this follows that code: the five convolutions that change the number of
    channels (32, 64, 128, 256, 512) are not padded; pooling halves the size, rounded up; a block is x + f(x), f two padded
    convolutions without bias, with no activation after the sum. The linear map to 512 features (fc5) is the backbone's own.

    Without normalisation it trains because it begins nearly linear, as there: residual convolutions are drawn from
    N(0, 0.01²), so that blocks are close to the identity, and the others with variance 1/fan_in.

    Args:
        settings: none of its own.
        channels: C of the images.
        size: (H, W) in pixels; F = 10240 for 112x96, 18432 for the 120x120 of L and T.

    Raises:
        ValueError: images smaller than 33x33.

    Source: L §4.2, T §4.2.

    >>> Face27(Face27Settings(), channels=3, size=(112, 96)).out_features
    10240
    """

    def __init__(self, settings: Face27Settings, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        check_size(settings.name, size, 33)
        self.stage1 = nn.Sequential(*_convolution(channels, 32), *_stage(32, 64, blocks=1))
        self.stage2 = nn.Sequential(*_stage(64, 128, blocks=2))
        self.stage3 = nn.Sequential(*_stage(128, 256, blocks=5))
        self.stage4 = nn.Sequential(*_stage(256, 512, blocks=3))
        self.out_features = 512 * _last_side(size[0]) * _last_side(size[1])

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the flattened last maps."""
        x = self.stage4(self.stage3(self.stage2(self.stage1(x))))
        return x.flatten(1)


class PReLUBlock(nn.Module):
    """x + f(x); f is two 3x3 convolutions without bias, each with PReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            convolution = NarrowConv2d(channels, channels)
            nn.init.normal_(convolution.weight, std=0.01)
            layers += [convolution, nn.PReLU(channels, init=_SLOPE)]
        self.residual = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Tensor:
        """Return the block's maps."""
        total: Tensor = x + self.residual(x)
        return total


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3)
    nn.init.kaiming_uniform_(convolution.weight, nonlinearity="linear")  # variance 1/fan_in: what Caffe calls xavier
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]  # it has one
    return [convolution, nn.PReLU(outputs, init=_SLOPE)]


def _stage(inputs: int, outputs: int, *, blocks: int) -> list[nn.Module]:
    pool = nn.MaxPool2d(2, ceil_mode=True)
    return [*_convolution(inputs, outputs), pool, *(PReLUBlock(outputs) for _ in range(blocks))]


def _last_side(pixels: int) -> int:
    for unpadded in (2, 1, 1, 1):
        pixels = math.ceil((pixels - 2 * unpadded) / 2)
    return pixels
