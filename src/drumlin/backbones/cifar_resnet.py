"""The residual networks for 32x32 images."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size, initialise
from drumlin.settings.backbones import CifarResNetSettings, Shortcut


class CifarResNet(Trunk):
    """A 3x3 convolution, three stages of n residual blocks with 16, 32 and 64 channels, global average pooling.

    Depth 6n + 2 counts the linear layer of the paper's classifier. With a 10-way linear layer and shortcut A,
    ResNet-20, 32 and 56 have 0.27, 0.46 and 0.85 million parameters (Table 6).

    Args:
        settings: depth, and the shortcut where the channels double: A, every second pixel with zeros as new channels;
            B, a strided 1x1 convolution with batch normalisation.
        channels: C of the images.
        size: (H, W) in pixels; F = 64 whatever it is.

    Raises:
        ValueError: images smaller than 8x8, of which the last stage would see single pixels.

    Source: He et al. 2016, "Deep Residual Learning for Image Recognition", §4.2.

    >>> from drumlin.settings.backbones import ResNet20Settings
    >>> CifarResNet(ResNet20Settings(), channels=3, size=(32, 32)).out_features
    64
    """

    out_features = 64

    def __init__(self, settings: CifarResNetSettings, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        check_size(settings.name, size, 8)
        blocks = (settings.depth - 2) // 6
        self.stem = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)
        )
        self.stage1 = _stage(16, 16, blocks, settings.shortcut)
        self.stage2 = _stage(16, 32, blocks, settings.shortcut)
        self.stage3 = _stage(32, 64, blocks, settings.shortcut)
        initialise(self)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the averages of the last maps."""
        x = self.stage3(self.stage2(self.stage1(self.stem(x))))
        return x.mean((2, 3))


class PaddedShortcut(nn.Module):
    """Every second pixel, and zeros as new channels (option A): no parameters."""

    def __init__(self, new_channels: int) -> None:
        super().__init__()
        self.new_channels = new_channels

    def forward(self, x: Float[Tensor, "n c h w"]) -> Tensor:
        """Return maps of half the size."""
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new_channels))


class ResidualBlock(nn.Module):
    """relu(f(x) + shortcut(x)); f is two 3x3 convolutions with batch normalisation, strided where channels double."""

    def __init__(self, inputs: int, outputs: int, shortcut: Shortcut) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity() if stride == 1 else _SHORTCUTS[shortcut](inputs, outputs)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Tensor:
        """Return the block's maps."""
        total: Tensor = self.residual(x) + self.shortcut(x)
        return total.relu_()


def _projection(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=2, bias=False), nn.BatchNorm2d(outputs))


def _padding(inputs: int, outputs: int) -> nn.Module:
    return PaddedShortcut(outputs - inputs)


_SHORTCUTS = {"A": _padding, "B": _projection}


def _stage(inputs: int, outputs: int, blocks: int, shortcut: Shortcut) -> nn.Sequential:
    rest = (ResidualBlock(outputs, outputs, shortcut) for _ in range(blocks - 1))
    return nn.Sequential(ResidualBlock(inputs, outputs, shortcut), *rest)
