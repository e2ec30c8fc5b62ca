"""A fast network for 32x32 images."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size
from drumlin.backbones.narrow import NarrowConv2d
from drumlin.settings.backbones import Fast32Settings

_SHRINKAGE = 5e-4
"""Added to the variances, so that directions in which patches hardly vary are not blown up (theirs, section 3.2)."""


class Fast32(Trunk):
    """Whitened 2x2 patches, then three times a 3x3 convolution, pooling, and another one, with batch normalisation and GELU.

    The first layer is not learned but for its bias: its filters are the principal directions of the training images' 2x2 patches, each
    of unit variance, and their negatives (`adapt`). The other convolutions begin as the identity on as many channels as they
    can. Batch normalisation has no scale to learn, since the next layer has one.

    Args:
        settings: width w; the stages have w, 4w and 4w channels.
        channels: C of the images.
        size: (H, W) in pixels; F = 4w·⌊(H−1)/24⌋·⌊(W−1)/24⌋, 256 for 32x32 images at the default width.

    Raises:
        ValueError: images smaller than 25x25.

    Source: Jordan, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, 2024 (arXiv 2404.00498), section 3: its architecture, whitening
    and initialisation. There batch normalisation's shifts learn 64 times as fast (`OptimizerSettings.norm_bias_factor`), weights
    look ahead (`LookaheadSettings`), and posteriors are averaged over mirrored and shifted test images, which is not done here.

    >>> Fast32(Fast32Settings(), channels=3, size=(32, 32)).out_features
    256
    """

    adapts_to = 2_000

    def __init__(self, settings: Fast32Settings, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        check_size(settings.name, size, 25)
        w, patch = settings.width, 4 * channels
        self.filters = nn.Conv2d(channels, 2 * patch, 2)
        self.activation = nn.GELU()
        self.stage1 = _stage(2 * patch, w)
        self.stage2 = _stage(w, 4 * w)
        self.stage3 = _stage(4 * w, 4 * w)
        self.pool = nn.MaxPool2d(3)
        sides = [(side - 1) // 8 // 3 for side in size]
        self.out_features = 4 * w * sides[0] * sides[1]
        assert self.filters.bias is not None
        nn.init.zeros_(self.filters.bias)
        self.filters.weight.requires_grad_(False)

    @torch.no_grad()
    def adapt(self, x: Float[Tensor, "n c h w"]) -> None:
        """Set the first layer's filters to the whitening of these images' patches."""
        c = x.shape[1]
        patches = x.double().unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 4 * c)
        patches = patches - patches.mean(0)
        covariance = patches.T @ patches / len(patches)
        variances, directions = torch.linalg.eigh(covariance)
        filters = (directions / (variances + _SHRINKAGE).sqrt()).T.reshape(4 * c, c, 2, 2)
        weight = self.filters.weight
        weight.copy_(torch.cat([filters, -filters]).to(weight))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the flattened last maps."""
        x = self.stage3(self.stage2(self.stage1(self.activation(self.filters(x)))))
        z: Tensor = self.pool(x).flatten(1)
        return z


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        _convolution(inputs, outputs),
        nn.MaxPool2d(2),
        _normalisation(outputs),
        nn.GELU(),
        _convolution(outputs, outputs),
        _normalisation(outputs),
        nn.GELU(),
    )


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    layer = NarrowConv2d(inputs, outputs)
    nn.init.dirac_(layer.weight[: min(inputs, outputs)])
    return layer


def _normalisation(channels: int) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(channels, momentum=0.4)
    layer.weight.requires_grad_(False)
    return layer
