"""The one rule by which grey and colour, small and large meet a model of the other kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from drumlin.data.images import Images

Size: TypeAlias = int | tuple[int, int] | None
"""A side in pixels, (height, width), or None for as it is."""

RULE = (
    "1: grey to colour by repeating; colour to grey by ITU-R 601 luma; alpha on black; 16 bits divided by 257; EXIF "
    "orientation; bilinear with antialiasing until the size is covered, centre crop; of the size already: untouched"
)
"""What is done to images, in words. Part of the key of every cache: change it when the result changes."""

_CHUNK_BYTES = 1 << 26  # of temporary values at a time, so that adapting a set costs little more than its result


def adapt(images: Images, *, channels: int | None = None, size: Size = None) -> Images:
    """Return `images` with so many channels and of that size.

    - Grey to colour: the channel three times.
    - Colour to grey: ITU-R 601 luma, 0.299 R + 0.587 G + 0.114 B, rounded as Pillow's mode "L" is.
    - Size: if it is that size already, untouched. Else resized (bilinear, antialiased, aspect ratio kept) so that it just
      covers the size - for a square, the shorter side becomes its side - and cropped at the centre.

    `load_image` does the same to files, where also transparency is composited on black, palettes are looked up, 16-bit
    values are divided by 257 and the EXIF orientation is honoured; a resized value may differ by 1 between the two.

    Args:
        images: any.
        channels: 1, 3, or None for as they are.
        size: a side in pixels, (height, width), or None for as they are.

    Raises:
        ValueError: `channels` other than 1 and 3, a size below 1.

    >>> grey = Images(pixels=torch.ones(2, 1, 8, 8).byte(), labels=torch.zeros(2).long(), class_names=("a",), name="", split="all")
    >>> adapt(grey, channels=3, size=16).pixels.shape
    torch.Size([2, 3, 16, 16])
    """
    height_width = target_size(size) or images.size
    channels = check_channels(channels) or images.channels
    if (channels, height_width) == (images.channels, images.size):
        return images
    n, c, h, w = images.pixels.shape
    step = max(1, _CHUNK_BYTES // (4 * max(c * h * w, channels * height_width[0] * height_width[1])))
    out = torch.empty(n, channels, *height_width, dtype=torch.uint8)
    for start in range(0, n, step):
        pixels = convert_channels(images.pixels[start : start + step], channels)
        out[start : start + step] = resize(pixels, height_width)
    return replace(images, pixels=out)


def check_channels(channels: int | None) -> int | None:
    """Return `channels`; raise a ValueError unless it is 1, 3 or None."""
    if channels not in (1, 3, None):
        raise ValueError(f"channels is {channels}; it is 1 (grey) or 3 (colour)")
    return channels


def target_size(size: Size) -> tuple[int, int] | None:
    """Return `size` as (height, width); a number is a square's side.

    Raises:
        ValueError: a side below 1.

    >>> target_size(28)
    (28, 28)
    """
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ValueError(f"image_size is {size}; it is a number of pixels, at least 1")
    return height, width


def convert_channels(pixels: UInt8[Tensor, "n c h w"], channels: int) -> UInt8[Tensor, "n k h w"]:
    """Return grey or colour images with 1 or 3 `channels`; the rule is `adapt`'s."""
    if pixels.shape[1] == channels:
        return pixels
    if channels == 3:
        return pixels.expand(-1, 3, -1, -1)
    red, green, blue = pixels.int().unbind(1)
    # Pillow's own fixed-point coefficients (they sum to 65536), so that a file and a tensor give the same grey
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).to(torch.uint8)[:, None]


def covering(size: tuple[int, int], target: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the (height, width) to resize an image of `size` to, and the (top, left) at which to crop `target` from it.

    >>> covering((20, 40), (10, 10))
    ((10, 20), (0, 5))
    """
    (h, w), (height, width) = size, target
    by_height = height * w >= width * h  # the height is the side that is just covered, the width is cropped
    resized = (height, w * height // h) if by_height else (h * width // w, width)
    return resized, ((resized[0] - height) // 2, (resized[1] - width) // 2)


def resize(pixels: UInt8[Tensor, "n c h w"], target: tuple[int, int]) -> UInt8[Tensor, "n c height width"]:
    """Return images resized and cropped to `target` (height, width); the rule is `adapt`'s."""
    size = (pixels.shape[2], pixels.shape[3])
    if size == target:
        return pixels
    resized, (top, left) = covering(size, target)
    if resized != size:
        values = F.interpolate(pixels.float(), size=resized, mode="bilinear", antialias=True, align_corners=False)
        pixels = values.round_().clamp_(0, 255).to(torch.uint8)
    return pixels[:, :, top : top + target[0], left : left + target[1]]
