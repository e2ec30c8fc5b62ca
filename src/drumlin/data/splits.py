"""Seeded, stratified splits."""

from __future__ import annotations

import torch
from jaxtyping import Int64
from torch import Tensor


def holdout_split(
    labels: Int64[Tensor, " n"], fraction: float, maximum: int, seed: int
) -> tuple[Int64[Tensor, " t"], Int64[Tensor, " m"]]:
    """Set aside a random, stratified part of the samples.

    m = min(round(fraction n), maximum) samples are shared out over the classes in proportion to their sizes (largest
    remainder), so each class gives its share to within one sample. No class gives its last sample: m is smaller then.

    Args:
        labels: class of each sample.
        fraction: of the samples to set aside, in [0, 1); 0 sets none aside.
        maximum: the most to set aside, at least 1.
        seed: same labels and seed, same split.

    Returns:
        Indices of the samples that stay for training, and of those set aside; both sorted, together every one once.

    Raises:
        ValueError: an argument out of range, no samples, or a fraction above 0 that sets none aside.

    >>> train, held_out = holdout_split(torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]), 0.5, 100, seed=0)
    >>> len(train), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])[held_out].tolist()
    (4, [0, 0, 1, 1])
    """
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(f"labels have shape {tuple(labels.shape)}; a split needs one label a sample, and samples")
    if not 0 <= fraction < 1:
        raise ValueError(f"holdout is {fraction}; it is a fraction of the samples, at least 0 and below 1")
    if maximum < 1:
        raise ValueError(f"holdout_max is {maximum}; it is at least 1 (for no hold-out give holdout 0)")
    n = len(labels)
    _, classes, counts = torch.unique(labels.cpu(), return_inverse=True, return_counts=True)
    quota = _shares(counts, min(round(fraction * n), maximum))
    if fraction > 0 and int(quota.sum()) == 0:
        raise ValueError(
            f"a holdout of {fraction} sets aside none of {n} samples in {len(counts)} classes (each class keeps one); "
            "give a larger holdout or more samples, or 0 for none"
        )
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    order = order[classes[order].argsort(stable=True)]  # class by class, at random within each
    place = torch.arange(n) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    held_out = place < quota.repeat_interleave(counts)
    return order[~held_out].sort().values, order[held_out].sort().values


def _shares(counts: Int64[Tensor, " k"], total: int) -> Int64[Tensor, " k"]:
    """Share `total` out in proportion to `counts` by largest remainder; at most counts − 1 each."""
    scaled = counts * total
    shares = scaled // counts.sum()
    left = total - int(shares.sum())
    largest = (scaled % counts.sum()).argsort(descending=True, stable=True)[:left]
    shares[largest] += 1
    return shares.minimum(counts - 1)


def class_by_class(labels: Int64[Tensor, " n"]) -> bool:
    """Return whether samples lie sorted by their class, as those of a folder of images do: then the first are of one class."""
    return len(labels) > 1 and bool((labels[1:] >= labels[:-1]).all()) and bool(labels[0] != labels[-1])


def some(labels: Int64[Tensor, " n"], limit: int) -> Int64[Tensor, " m"]:
    """Return the places of at most `limit` samples (M,), ascending: the first; where they lie class by class, spread over all.

    >>> some(torch.tensor([1, 0, 1, 0, 1]), 2).tolist(), some(torch.tensor([0, 0, 0, 1, 1, 1]), 4).tolist()
    ([0, 1], [0, 1, 3, 4])
    """
    count = min(limit, len(labels))
    return torch.arange(count) * len(labels) // count if class_by_class(labels) else torch.arange(count)
