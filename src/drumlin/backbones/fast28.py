"""A fast network for 28x28 images."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size, initialise
from drumlin.backbones.layers import convolution
from drumlin.settings.backbones import Fast28Settings


class Fast28(Trunk):
    """A 5x5 convolution, then twice two 3x3 ones, with batch normalisation and ReLU; three stages, each halving the image.

    On a processor normalisation and ReLU wait for memory: at full size they cost more than the convolutions do. So there is
    but one convolution at full size, and the maximum is taken before a stage's last normalisation.

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
        self.stage1 = nn.Sequential(*_pooled(channels, w, kernel=5))
        self.stage2 = nn.Sequential(*convolution(w, 2 * w), *_pooled(2 * w, 2 * w))
        self.stage3 = nn.Sequential(*convolution(2 * w, 4 * w), *_pooled(4 * w, 4 * w))
        self.out_features = 4 * w * (size[0] // 8) * (size[1] // 8)
        initialise(self)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the flattened last maps."""
        x = self.stage3(self.stage2(self.stage1(x)))
        return x.flatten(1)


def _pooled(inputs: int, outputs: int, *, kernel: int = 3) -> list[nn.Module]:
    plain = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return [plain, nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
