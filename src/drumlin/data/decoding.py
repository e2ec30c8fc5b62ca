"""Image files to bytes: one file, or many by a pool of threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from drumlin.data.adaptation import Size, check_channels, convert_channels, covering, target_size

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

EXTENSIONS = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))
"""What an image file is called; others are passed over."""

_GREY = frozenset(("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"))
_CHUNK = 64  # files a task, so that the pool's overhead is nothing beside the decoding


def load_image(
    path: str | os.PathLike[str], *, channels: int | None = None, image_size: Size = None
) -> UInt8[Tensor, "c h w"]:
    """Read one image file; its channels and size are brought to what is asked by the rule of `adapt`.

    Transparency is composited on black, palettes are looked up, 1-bit images are 0 and 255, 16-bit values are divided by
    257, the EXIF orientation is honoured. Of an animation the first picture is taken.

    Args:
        path: a file in any format that Pillow reads.
        channels: 1, 3, or None for as it is (a palette is colour).
        image_size: a side in pixels, (height, width), or None for as it is.

    Raises:
        ValueError: no such file, or it cannot be decoded (truncated, corrupt, no image, 32 bits a value); the message names it.
        ImportError: Pillow is not installed.

    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "wide.png"
    >>> Image.new("RGB", (40, 20)).save(path)
    >>> load_image(path, channels=1, image_size=10).shape
    torch.Size([1, 10, 10])
    """
    check_channels(channels)
    size = target_size(image_size)
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ImportError('reading image files needs Pillow: pip install "drumlin[cli]"') from None
    if not Path(path).is_file():
        raise ValueError(f"image {path}: there is no such file")
    try:
        with Image.open(path) as file:
            file.load()
            image = _eight_bit(ImageOps.exif_transpose(file))
    except Exception as error:  # Pillow's decoders raise anything, from SyntaxError to struct.error
        raise ValueError(f"image {path} cannot be decoded; it is damaged or no image ({error})") from error
    if channels is not None:
        image = image.convert("L" if channels == 1 else "RGB")
    if size is not None and (image.height, image.width) != size:
        (height, width), (top, left) = covering((image.height, image.width), size)
        if (height, width) != (image.height, image.width):
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        image = image.crop((left, top, left + size[1], top + size[0]))
    pixels = torch.from_numpy(np.array(image))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)


def _eight_bit(image: PILImage) -> PILImage:
    """Return `image` in mode L or RGB, whichever is its kind."""
    from PIL import Image

    kind = "L" if image.mode in _GREY else "RGB"
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("its values do not fit 16 bits; save it with 8 or 16")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("it holds floating-point values, whose range nothing tells; save it with 8 or 16 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image.convert(kind)


class _ColourFound(Exception):
    """A colour image in a set that began grey."""


def decode(
    paths: Sequence[Path], *, channels: int | None = None, size: Size = None, threads: int | None = None
) -> UInt8[Tensor, "n c h w"]:
    """Read image files into one tensor, by several threads.

    Args:
        paths: one file or more.
        channels: 1, 3, or None: 1 if every image is grey, else 3.
        size: as `load_image`'s; None if all are of one size.
        threads: how many; by default one a processor.

    Raises:
        ValueError: no files; one cannot be decoded; or different sizes with `size` None. The message names the files.
    """
    if not paths:
        raise ValueError("there are no images to decode")
    try:
        return _decode(paths, channels, size, threads or usable_cpus())
    except _ColourFound:
        return _decode(paths, 3, size, threads or usable_cpus())


def _decode(paths: Sequence[Path], channels: int | None, size: Size, threads: int) -> Tensor:
    first = load_image(paths[0], channels=channels, image_size=size)
    out = torch.empty(len(paths), *first.shape, dtype=torch.uint8)

    def fill(start: int) -> None:
        for i in range(start, min(start + _CHUNK, len(paths))):
            image = load_image(paths[i], channels=channels, image_size=size)
            if image.shape[1:] != first.shape[1:]:
                raise different_sizes(paths[i], image.shape[1:], paths[0], first.shape[1:])
            if len(image) > len(first):
                raise _ColourFound
            out[i] = convert_channels(image[None], len(first))[0]

    starts = range(0, len(paths), _CHUNK)
    if threads == 1 or len(starts) == 1:
        for start in starts:
            fill(start)
        return out
    pool = ThreadPoolExecutor(threads)
    try:
        for _ in pool.map(fill, starts):
            pass
    finally:
        pool.shutdown(cancel_futures=True)  # after an error the rest need not be decoded
    return out


def different_sizes(path: Path, size: Sequence[int], other: Path, its_size: Sequence[int]) -> ValueError:
    """Return the error for two images of different (height, width) where one size for all was not given."""
    return ValueError(
        f"image {path} is {size[1]}x{size[0]} pixels but {other} is {its_size[1]}x{its_size[0]}; "
        "give one size for all with --image-size (image_size)"
    )


def usable_cpus() -> int:
    """Return the number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
