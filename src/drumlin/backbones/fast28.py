"""A fast network for 28x28 images."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size, initialise
from drumlin.settings.backbones import Fast28Settings


class Fast28(Trunk):
    """Three stages of two 3x3 convolutions with batch normalisation and ReLU, each halving the image.

    The maximum is taken before the stage's last normalisation, which then works on a quarter of the values: on a
    processor normalisation and ReLU wait for memory, and at 28x28 they cost as much as the convolutions do.

    Args:
        settings: width w; the stages have w, 2w and 4w channels.
        channels: C of the images.
        size: (H, W) in pixels; F = 4w·⌊H/8⌋·⌊W/8⌋, 576 for 28x28 images at the default width.

    Raises:
        ValueError: images smaller than 8x8.

    >>> Fast28(Fast28Settings(), channels=1, size=(28, 28)).out_features
    576
    """

    def __init__(self, settings: Fast28Settings, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        check_size(settings.name, size, 8)
        w = settings.width
        self.stage1 = _stage(channels, w)
        self.stage2 = _stage(w, 2 * w)
        self.stage3 = _stage(2 * w, 4 * w)
        self.out_features = 4 * w * (size[0] // 8) * (size[1] // 8)
        initialise(self)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the flattened last maps."""
        x = self.stage3(self.stage2(self.stage1(x)))
        return x.flatten(1)


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
