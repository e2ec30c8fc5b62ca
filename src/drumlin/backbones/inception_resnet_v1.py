"""Inception-ResNet-v1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size, initialise
from drumlin.settings.backbones import InceptionResNetV1Settings

Kernel = int | tuple[int, int]
Branch = tuple[tuple[int, Kernel], ...]
"""(filters, kernel) of each convolution of a branch."""

_A: tuple[Branch, ...] = (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (32, 3), (32, 3)))
_B: tuple[Branch, ...] = (((128, 1),), ((128, 1), (128, (1, 7)), (128, (7, 1))))
_C: tuple[Branch, ...] = (((192, 1),), ((192, 1), (192, (1, 3)), (192, (3, 1))))
_REDUCTION_A: tuple[Branch, ...] = (((384, 3),), ((192, 1), (192, 3), (256, 3)))
_REDUCTION_B: tuple[Branch, ...] = (((256, 1), (384, 3)), ((256, 1), (256, 3)), ((256, 1), (256, 3), (256, 3)))


class InceptionResNetV1(Trunk):
    """A stem of six convolutions, 5 residual inception blocks A, 10 B and 6 C, reductions between, global average pooling.

    Szegedy et al. 2017, Figs. 10 to 15, with what the figures leave open as in FaceNet's code and its port facenet-pytorch:
    residuals are scaled by 0.17, 0.10 and 0.20, and a sixth block C, neither scaled nor followed by ReLU, comes last (the
    paper has five). Dropout after the pooling and the linear map to the features are the backbone's own. Made for 299x299,
    used by I with 160x160 images.

    Args:
        settings: none of its own.
        channels: C of the images.
        size: (H, W) in pixels; F = 1792 whatever it is.

    Raises:
        ValueError: images smaller than 75x75.

    Source: Szegedy, Ioffe, Vanhoucke, Alemi 2017, "Inception-v4, Inception-ResNet and the Impact of Residual Connections
    on Learning"; I §4.1.2 and §4.1.3.

    >>> InceptionResNetV1(InceptionResNetV1Settings(), channels=3, size=(160, 160)).out_features
    1792
    """

    out_features = 1792

    def __init__(self, settings: InceptionResNetV1Settings, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        check_size(settings.name, size, 75)
        self.stem = nn.Sequential(
            *_convolution(channels, 32, 3, stride=2),
            *_convolution(32, 32, 3),
            *_convolution(32, 64, 3, padded=True),
            nn.MaxPool2d(3, stride=2),
            *_convolution(64, 80, 1),
            *_convolution(80, 192, 3),
            *_convolution(192, 256, 3, stride=2),
        )
        self.blocks_a = nn.Sequential(*(InceptionBlock(256, _A, scale=0.17) for _ in range(5)))
        self.reduction_a = Reduction(256, _REDUCTION_A)
        self.blocks_b = nn.Sequential(*(InceptionBlock(896, _B, scale=0.10) for _ in range(10)))
        self.reduction_b = Reduction(896, _REDUCTION_B)
        self.blocks_c = nn.Sequential(*(InceptionBlock(1792, _C, scale=0.20) for _ in range(5)))
        self.last = InceptionBlock(1792, _C, scale=1.0, relu=False)
        initialise(self)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the averages of the last maps."""
        x = self.reduction_a(self.blocks_a(self.stem(x)))
        x = self.reduction_b(self.blocks_b(x))
        x = self.last(self.blocks_c(x))
        return x.mean((2, 3))


class InceptionBlock(nn.Module):
    """relu(x + scale · (W·[branches of x] + b)), W a 1x1 convolution without normalisation; without ReLU if told so."""

    def __init__(self, channels: int, branches: Sequence[Branch], *, scale: float, relu: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.branches = nn.ModuleList(_branch(channels, branch) for branch in branches)
        self.up = nn.Conv2d(sum(branch[-1][0] for branch in branches), channels, 1)
        self.activation = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Float[Tensor, "n c h w"]) -> Tensor:
        """Return the block's maps."""
        residual = self.up(torch.cat([branch(x) for branch in self.branches], dim=1))
        total: Tensor = self.activation(x + self.scale * residual)
        return total


class Reduction(nn.Module):
    """Branches whose last convolution is unpadded and has stride 2, beside 3x3 max pooling with stride 2."""

    def __init__(self, channels: int, branches: Sequence[Branch]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_branch(channels, branch, reduce=True) for branch in branches)
        self.pool = nn.MaxPool2d(3, stride=2)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Tensor:
        """Return maps of half the size."""
        return torch.cat([*(branch(x) for branch in self.branches), self.pool(x)], dim=1)


def _branch(inputs: int, branch: Branch, *, reduce: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index, (outputs, kernel) in enumerate(branch):
        last = reduce and index == len(branch) - 1
        layers += _convolution(inputs, outputs, kernel, stride=2 if last else 1, padded=not last)
        inputs = outputs
    return nn.Sequential(*layers)


def _convolution(
    inputs: int, outputs: int, kernel: Kernel, *, stride: int = 1, padded: bool = False
) -> list[nn.Module]:
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (height // 2, width // 2) if padded else 0
    plain = nn.Conv2d(inputs, outputs, (height, width), stride, padding, bias=False)
    return [plain, nn.BatchNorm2d(outputs, eps=1e-3), nn.ReLU(inplace=True)]
