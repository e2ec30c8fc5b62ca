"""The layers that several networks are made of."""

from __future__ import annotations

from torch import nn


def convolution(inputs: int, outputs: int, *, kernel: int = 3, batch_norm: bool = True) -> list[nn.Module]:
    """Return a convolution that keeps the size of maps, batch normalisation (or else a bias), and ReLU.

    >>> [type(layer).__name__ for layer in convolution(3, 8)]
    ['Conv2d', 'BatchNorm2d', 'ReLU']
    """
    padding = kernel // 2
    if not batch_norm:
        return [nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.ReLU(inplace=True)]
    plain = nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False)
    return [plain, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
