"""Isomax's network for CIFAR-10."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size, initialise
from drumlin.backbones.layers import convolution
from drumlin.settings.backbones import IsomaxCifarSettings


class IsomaxCifar(Trunk):
    """Three blocks of four 3x3 convolutions, of 64, 96 and 128 filters, each block followed by 2x2 max pooling.

    Dropout and the fully connected layer after it are every backbone's own; I does not say how wide that layer is, nor
    whether it is the classifier (then: `linear=False, feature_dim=2048`). "A dropout of 0.8" is read as TensorFlow's
    probability of keeping. Batch normalisation "is applied together with our new loss" (§3.2.3), which does not say where:
    here after each convolution, unless it is turned off.

    Args:
        settings: batch normalisation or not.
        channels: C of the images.
        size: (H, W) in pixels; F = 128·⌊H/8⌋·⌊W/8⌋, 2048 for 32x32 images.

    Raises:
        ValueError: images smaller than 8x8.

    Source: I §4.1.1.

    >>> IsomaxCifar(IsomaxCifarSettings(), channels=3, size=(32, 32)).out_features
    2048
    """

    def __init__(self, settings: IsomaxCifarSettings, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        check_size(settings.name, size, 8)
        self.stage1 = _block(channels, 64, settings.batch_norm)
        self.stage2 = _block(64, 96, settings.batch_norm)
        self.stage3 = _block(96, 128, settings.batch_norm)
        self.out_features = 128 * (size[0] // 8) * (size[1] // 8)
        initialise(self)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the flattened last maps."""
        x = self.stage3(self.stage2(self.stage1(x)))
        return x.flatten(1)


def _block(inputs: int, outputs: int, batch_norm: bool) -> nn.Sequential:
    rest = [layer for _ in range(3) for layer in convolution(outputs, outputs, batch_norm=batch_norm)]
    return nn.Sequential(*convolution(inputs, outputs, batch_norm=batch_norm), *rest, nn.MaxPool2d(2))
