"""A small network for 8x8 digits."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size, initialise
from drumlin.backbones.layers import convolution
from drumlin.settings.backbones import DigitsCNNSettings


class DigitsCNN(Trunk):
    """Three 3x3 convolutions with batch normalisation and ReLU, halving the image twice, for images of a few pixels.

    Args:
        settings: width w; the convolutions have w, 2w and 2w channels.
        channels: C of the images.
        size: (H, W) in pixels; F = 2w·⌊H/4⌋·⌊W/4⌋, 256 for 8x8 images at the default width.

    Raises:
        ValueError: images smaller than 4x4.

    >>> DigitsCNN(DigitsCNNSettings(), channels=1, size=(8, 8)).out_features
    256
    """

    def __init__(self, settings: DigitsCNNSettings, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        check_size(settings.name, size, 4)
        w = settings.width
        self.stage1 = nn.Sequential(*convolution(channels, w), *convolution(w, 2 * w), nn.MaxPool2d(2))
        self.stage2 = nn.Sequential(*convolution(2 * w, 2 * w), nn.MaxPool2d(2))
        self.out_features = 2 * w * (size[0] // 4) * (size[1] // 4)
        initialise(self)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the flattened last maps."""
        x = self.stage2(self.stage1(x))
        return x.flatten(1)
