"""Labelled image files, decoded as they are needed: sets too large for memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from drumlin._io import hash_json
from drumlin.data.adaptation import RULE
from drumlin.data.decoding import decode, usable_cpus
from drumlin.data.folders import Tree
from drumlin.data.images import Indices, check_labels, in_order, unit_range


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageFiles:
    """Labelled image files with the interface of `Images`, but for `pixels`: nothing stays in memory.

    Raises:
        ValueError: labels that are no index into the class names.
    """

    tree: Tree
    """The files and their classes."""

    channels: int
    """1 for grey, 3 for colour: what every image is brought to."""

    size: tuple[int, int]
    """Height and width in pixels that every image is brought to."""

    name: str
    """What the user called it: NAME, NAME:CLASSES, folder:PATH."""

    split: str
    """"train", "test" or "all"."""

    note: str = ""
    """How it came about where that is not plain, as for a split that drumlin made itself."""

    workers: int | None = None
    """Processes that decode; 0 decodes in this one. None: one a processor, at most 8, shared by the machine's ranks."""

    def __post_init__(self) -> None:
        check_labels(self.tree.labels, self.tree.class_names)

    def __len__(self) -> int:
        return len(self.tree)

    @property
    def labels(self) -> Int64[Tensor, " n"]:
        """Class of each image, an index into `class_names`."""
        return self.tree.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name a class."""
        return self.tree.class_names

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over name, size and time of change of each file, labels, class names and what is done on decoding."""
        return hash_json([RULE, self.channels, self.size, self.tree.key, self.labels.tolist(), self.class_names])

    def subset(self, indices: Indices) -> ImageFiles:
        """Return the samples `indices`, in that order; classes keep their numbers and names."""
        return replace(self, tree=self.tree.subset(self._numbers(indices)))

    def float(self, indices: Indices = None) -> Float[Tensor, "m c h w"]:
        """Return the images `indices` (default: all, if they fit into memory) in float32, 0..1.

        Raises:
            ValueError: an image cannot be decoded; the message names it.
        """
        return unit_range(self.decode(self._numbers(indices)))

    def decode(self, indices: Int64[Tensor, " m"]) -> UInt8[Tensor, "m c h w"]:
        """Return the images `indices` as bytes, decoded by the threads of this process."""
        if len(indices) == 0:
            return torch.empty(0, self.channels, *self.size, dtype=torch.uint8)
        return decode(self.tree.subset(indices).paths, channels=self.channels, size=self.size)

    def batches(self, batch_size: int) -> Iterator[tuple[Float[Tensor, "b c h w"], Int64[Tensor, " b"]]]:
        """Yield (images in 0..1, labels) of at most `batch_size` samples, in order, all of them.

        Raises:
            ValueError: `batch_size` below 1; an image cannot be decoded, and the message names it.
        """
        shares = in_order(len(self), batch_size)
        return ((unit_range(pixels), labels) for pixels, labels in self.stream(shares))

    def stream(
        self, shares: Iterable[Int64[Tensor, " _"]]
    ) -> Iterator[tuple[UInt8[Tensor, "_ c h w"], Int64[Tensor, " _"]]]:
        """Yield (bytes, labels) of each of `shares`, tensors of sample numbers; worker processes decode ahead.

        Workers draw nothing at random, so what comes does not depend on how many there are, and the global random state
        stays as it is.

        Raises:
            ValueError: an image cannot be decoded; the message names it.
        """
        shares = list(shares)
        workers = _default_workers() if self.workers is None else self.workers
        loader = DataLoader(
            _Decoder(self.tree, self.channels, self.size),
            batch_sampler=[share.tolist() for share in shares],
            num_workers=min(workers, len(shares)),
            collate_fn=_as_it_is,
            generator=torch.Generator(),  # else the loader would draw its base seed from the global one
        )
        for share, pixels in zip(shares, loader, strict=True):
            if isinstance(pixels, str):
                raise ValueError(pixels)
            yield pixels, self.labels[share]

    def _numbers(self, indices: Indices) -> Tensor:
        if indices is None or isinstance(indices, slice):
            return torch.arange(len(self))[indices or slice(None)]
        return torch.as_tensor(indices, dtype=torch.int64)


class _Decoder(Dataset[Tensor]):
    """What a worker runs: the files of a batch to its bytes, or to a message, which reads better than its traceback."""

    def __init__(self, tree: Tree, channels: int, size: tuple[int, int]) -> None:
        self.tree, self.channels, self.size = tree, channels, size

    def __len__(self) -> int:
        return len(self.tree)

    def __getitems__(self, indices: list[int]) -> Tensor | str:
        paths = [self.tree.base / self.tree.names[i] for i in indices]
        try:
            return decode(paths, channels=self.channels, size=self.size, threads=1)
        except ValueError as error:
            return str(error)


def _as_it_is(batch: Any) -> Any:
    return batch


def _default_workers() -> int:
    ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # set by torchrun
    return max(1, min(8, usable_cpus() // ranks))
