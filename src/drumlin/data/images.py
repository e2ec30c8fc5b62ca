"""Labelled images in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from drumlin._tensors import hash_tensors

Indices: TypeAlias = Int64[Tensor, " m"] | Sequence[int] | slice | None
"""Which samples: their numbers, a slice, or None for all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Labelled images in memory, one byte a value.

    Raises:
        ValueError: shapes, types or labels that do not belong together.

    >>> pixels = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    >>> images = Images(pixels=pixels, labels=torch.tensor([0, 1, 1]), class_names=("cat", "dog"), name="pets", split="test")
    >>> len(images), images.size, images.channels, len(images.subset([0, 2]))
    (3, (8, 8), 1, 2)
    """

    pixels: UInt8[Tensor, "n c h w"]
    """Values 0..255; c is 1 (grey) or 3 (red, green, blue)."""

    labels: Int64[Tensor, " n"]
    """Class of each image, an index into `class_names`."""

    class_names: tuple[str, ...]
    """One name a class."""

    name: str
    """What the user called it: NAME, NAME:CLASSES, folder:PATH."""

    split: str
    """"train", "test" or "all"."""

    note: str = ""
    """How it came about where that is not plain, as for a split that drumlin made itself."""

    def __post_init__(self) -> None:
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4 or self.pixels.shape[1] not in (1, 3):
            shape, kind = tuple(self.pixels.shape), self.pixels.dtype
            raise ValueError(f"pixels are {kind} of shape {shape}; they must be uint8 (n, 1 or 3 channels, h, w)")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.pixels.shape[:1]:
            shape, kind = tuple(self.labels.shape), self.labels.dtype
            raise ValueError(f"labels are {kind} of shape {shape}; they must be int64 ({len(self.pixels)},)")
        check_labels(self.labels, self.class_names)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[2], self.pixels.shape[3]

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return self.pixels.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the content (pixels and their shape, labels, class names), hexadecimal; name and split don't count."""
        return hash_tensors(self.pixels, self.labels, about=repr(self.class_names))

    def subset(self, indices: Indices) -> Images:
        """Return the samples `indices`, in that order; classes keep their numbers and names."""
        chosen = _index(indices)
        return replace(self, pixels=self.pixels[chosen], labels=self.labels[chosen])

    def float(self, indices: Indices = None) -> Float[Tensor, "m c h w"]:
        """Return the images `indices` (default: all) in float32, 0..1."""
        return unit_range(self.pixels[_index(indices)])

    def batches(self, batch_size: int) -> Iterator[tuple[Float[Tensor, "b c h w"], Int64[Tensor, " b"]]]:
        """Yield (images in 0..1, labels) of at most `batch_size` samples, in order, all of them.

        Raises:
            ValueError: `batch_size` below 1.
        """
        shares = in_order(len(self), batch_size)
        return ((unit_range(pixels), labels) for pixels, labels in self.stream(shares))

    def stream(
        self, shares: Iterable[Int64[Tensor, " _"]]
    ) -> Iterator[tuple[UInt8[Tensor, "_ c h w"], Int64[Tensor, " _"]]]:
        """Yield (bytes, labels) of each of `shares`, tensors of sample numbers."""
        return ((self.pixels[share], self.labels[share]) for share in shares)


def check_labels(labels: Int64[Tensor, " n"], class_names: Sequence[str]) -> None:
    """Raise a ValueError if a label is no index into `class_names`."""
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(class_names):
        raise ValueError(
            f"labels run from {int(labels.min())} to {int(labels.max())}; with {len(class_names)} class names "
            f"they must lie in 0..{len(class_names) - 1}"
        )


def unit_range(pixels: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return bytes 0..255 as float32 0..1.

    >>> unit_range(torch.full((1, 1, 1, 1), 255, dtype=torch.uint8)).item()
    1.0
    """
    return pixels.float().div_(255)


def in_order(n: int, batch_size: int) -> list[Int64[Tensor, " _"]]:
    """Return 0..n-1 in pieces of `batch_size`; the last may be shorter.

    Raises:
        ValueError: `batch_size` below 1.

    >>> [share.tolist() for share in in_order(3, 2)]
    [[0, 1], [2]]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it is at least 1")
    return list(torch.split(torch.arange(n), batch_size)) if n else []


def _index(indices: Indices) -> Tensor | slice:
    if indices is None:
        return slice(None)
    if isinstance(indices, slice):
        return indices
    # dtype given: an empty list would become a float tensor, which indexes nothing
    return torch.as_tensor(indices, dtype=torch.int64)
