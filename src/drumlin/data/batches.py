"""Training batches: shuffled, augmented, and the same whatever came before and however many processes there are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from drumlin.data.augmentation import draw, vary
from drumlin.data.images import unit_range
from drumlin.data.opening import AnyImages
from drumlin.settings.data import AugmentSettings


def train_batches(
    images: AnyImages,
    batch_size: int,
    *,
    augment: AugmentSettings,
    generator_seed: int,
    epoch: int,
    rank: int = 0,
    world: int = 1,
    drop_last: bool = True,
) -> Iterator[tuple[Float[Tensor, "b c h w"], Int64[Tensor, " b"]]]:
    """Yield one epoch of (images in 0..1, labels), shuffled and augmented.

    Everything random comes from one generator that (`generator_seed`, `epoch`) alone seed; the global random state is
    neither used nor changed. So an epoch that is begun anew is the same, and each of several processes draws the whole
    batch's order and augmentation and takes its part: their parts, in the order of ranks, are what one process would see.

    Args:
        images: the training set, without the hold-out.
        batch_size: samples a step, over all processes. A smaller set is one batch.
        augment: how images are varied; `AugmentSettings()` for not at all.
        generator_seed: the run's seed.
        epoch: which epoch, from 0.
        rank: this process, 0..world−1.
        world: number of processes.
        drop_last: leave out a last batch that is not full, unless it is the only one.

    Raises:
        ValueError: no samples; an argument out of range; a batch that cannot be shared out evenly over the processes.

    >>> from drumlin.data import load
    >>> batches = train_batches(load("digits", "train"), 256, augment=AugmentSettings(shift=1), generator_seed=0, epoch=0)
    >>> [tuple(x.shape) for x, y in batches]
    [(256, 1, 8, 8), (256, 1, 8, 8), (256, 1, 8, 8), (256, 1, 8, 8), (256, 1, 8, 8)]
    """
    n = len(images)
    if n == 0:
        raise ValueError(f"data {images.name!r} has no samples to train on")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it is at least 1")
    if not 0 <= rank < world:
        raise ValueError(f"rank is {rank} of {world} processes; it is at least 0 and below their number")
    if batch_size % world:
        raise ValueError(
            f"batch_size is {batch_size}, which {world} processes cannot share evenly; give a multiple of {world}"
        )
    sizes = [batch_size] * (n // batch_size)
    if n % batch_size and not (sizes and drop_last):
        sizes.append(n % batch_size)
    if sizes[-1] % world:
        raise ValueError(
            f"a last batch of {sizes[-1]} of the {n} samples cannot be shared evenly by {world} processes; "
            "drop it (drop_last) if it is not the only one, or use fewer processes"
        )
    return _epoch(images, sizes, augment, _generator(generator_seed, epoch), rank, world)


def _epoch(
    images: AnyImages, sizes: list[int], augment: AugmentSettings, generator: torch.Generator, rank: int, world: int
) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(images), generator=generator)[: sum(sizes)]
    parts = [(rank * size // world, (rank + 1) * size // world) for size in sizes]
    shares = [batch[start:stop] for batch, (start, stop) in zip(torch.split(order, sizes), parts, strict=True)]
    for size, part, (pixels, labels) in zip(sizes, parts, images.stream(shares), strict=True):
        draws = draw(augment, size, images.size, generator).part(*part)
        yield unit_range(vary(pixels, augment, draws)), labels


def _generator(seed: int, epoch: int) -> torch.Generator:
    """Return a generator for an epoch; hashed, so that neighbouring seeds and epochs share nothing (seed + epoch would)."""
    digest = hashlib.sha256(f"drumlin epoch {seed} {epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
