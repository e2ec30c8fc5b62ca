"""The network of the papers' CIFAR-100 experiments."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size, initialise
from drumlin.backbones.layers import convolution
from drumlin.backbones.narrow import NarrowConv2d
from drumlin.settings.backbones import VGG13Settings


class VGG13(Trunk):
    """Thirteen 3x3 convolutions with batch normalisation and ReLU, five, four and four, and global average pooling.

    Not Simonyan and Zisserman's VGG-13, which has ten. L and T take "the same CNN architecture used by the large-margin
    softmax loss", with 13 convolutions, batch normalisation after each, no dropout, and global average pooling in place
    of the fully connected layer. They do not print the filters: 96 for the first stage, 192 and 384 for the next, 2x2 max
    pooling between, are those of the authors' published code (github.com/WeitaoVan/L-GM-loss, examples/cifar100). The
    code of the large-margin softmax has the same layers for CIFAR-10, with 64, 128 and 256; error against the number of
    filters (S Fig. 7) is a matter of `width`.

    In L's code the classifier comes right after the pooling: `linear=False, feature_dim=384`. Otherwise there is, as in
    all backbones, a linear map in between.

    Args:
        settings: width w; the stages have w, 2w and 4w filters.
        channels: C of the images.
        size: (H, W) in pixels; F = 4w whatever it is.

    Raises:
        ValueError: images smaller than 4x4.

    Source: L §4.1, T §4.1; Liu et al. 2016, "Large-Margin Softmax Loss for Convolutional Neural Networks".

    >>> VGG13(VGG13Settings(), channels=3, size=(32, 32)).out_features
    384
    """

    def __init__(self, settings: VGG13Settings, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        check_size(settings.name, size, 4)
        w = settings.width
        self.stage1 = nn.Sequential(*convolution(channels, w), *_four(w, w), nn.MaxPool2d(2))
        self.stage2 = nn.Sequential(*_four(w, 2 * w), nn.MaxPool2d(2))
        self.stage3 = nn.Sequential(*_four_narrow(2 * w, 4 * w))
        self.out_features = 4 * w
        initialise(self)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the averages of the last maps."""
        x = self.stage3(self.stage2(self.stage1(x)))
        return x.mean((2, 3))


def _four(inputs: int, outputs: int) -> list[nn.Module]:
    rest = [layer for _ in range(3) for layer in convolution(outputs, outputs)]
    return [*convolution(inputs, outputs), *rest]


def _four_narrow(inputs: int, outputs: int) -> list[nn.Module]:
    """Return the same layers for maps of 8x8, which are sooner trained with images side by side."""
    pairs = [(inputs, outputs), *[(outputs, outputs)] * 3]
    each = ([NarrowConv2d(a, b), nn.BatchNorm2d(b), nn.ReLU(inplace=True)] for a, b in pairs)
    return [layer for layers in each for layer in layers]
