"""The windows of an image that a classifier is evaluated on: the one in the centre, or ten."""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor

CROPS = (1, 10)
"""How many windows there can be."""


def crops(
    x: Shaped[Tensor, "n c _ _"], size: tuple[int, int], number: int = 10
) -> Shaped[Tensor, "{number} n c {size[0]} {size[1]}"]:
    """Return windows of images.

    Args:
        x: images.
        size: height and width of a window in pixels.
        number: 1 for the centre; 10 for the four corners, the centre, and the mirror images of these five.

    Raises:
        ValueError: another number; images smaller than a window; ten windows of images no larger than one.

    Source: Krizhevsky, Sutskever, Hinton, ImageNet Classification with Deep Convolutional Neural Networks, 2012, section 4.1.

    >>> row = torch.tensor([1, 2, 3]).view(1, 1, 1, 3)
    >>> crops(row, (1, 2)).flatten(1).tolist()[:6]
    [[1, 2], [2, 3], [1, 2], [2, 3], [1, 2], [2, 1]]
    """
    if number not in CROPS:
        raise ValueError(f"crops is {number}; it is 1 (the centre) or 10 (corners and centre, and these mirrored)")
    (height, width), (h, w) = x.shape[2:], size
    if height < h or width < w:
        raise ValueError(f"images of {height}x{width} pixels (height x width) have no window of {h}x{w}")
    down, right = height - h, width - w
    centre = (down // 2, right // 2)
    if number == 1:
        return torch.stack([_window(x, centre, size)])
    if not (down or right):
        raise ValueError(
            f"ten windows of {h}x{w} need images larger than that, and they have that size: give a margin above 0"
        )
    corners = ((0, 0), (0, right), (down, 0), (down, right))
    windows = torch.stack([_window(x, corner, size) for corner in (*corners, centre)])
    return torch.cat((windows, windows.flip(4)))


def _window(x: Tensor, corner: tuple[int, int], size: tuple[int, int]) -> Tensor:
    top, left = corner
    return x[:, :, top : top + size[0], left : left + size[1]]
