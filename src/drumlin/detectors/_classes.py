"""What detectors share that keep training features, or treat classes apart."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from drumlin.data import holdout_split

MAX_FEATURES = 50_000
"""The most training features that a detector keeps."""
CHUNK = 8_192
"""Training features a matrix product: bounds memory at (N, 8192)."""


def class_counts(y: Tensor, num_classes: int, detector: str, *, at_least: int = 1) -> Tensor:
    """Return how many training features each class has (K,).

    Raises:
        ValueError: a class has fewer than `at_least`.

    >>> class_counts(torch.tensor([0, 1, 1]), 2, "k-density").tolist()
    [1, 2]
    """
    counts = torch.bincount(y, minlength=num_classes)
    short = (counts < at_least).nonzero().flatten().tolist()
    if short:
        shown = ", ".join(map(str, short[:10])) + (", ..." if len(short) > 10 else "")
        found = "no" if bool((counts[short] == 0).all()) else f"fewer than {at_least}"
        raise ValueError(
            f"{found} training features of class {shown}: detector {detector!r} needs at least {at_least} of each of the"
            f" {num_classes} classes"
        )
    return counts


def subsample(y: Tensor, maximum: int, seed: int) -> Tensor:
    """Return the places of at most `maximum` samples of classes y (N,), seeded and stratified, at least one a class.

    >>> len(subsample(torch.tensor([0, 0, 0, 0, 1, 1]), 3, seed=0))
    3
    """
    if len(y) <= maximum:
        return torch.arange(len(y), device=y.device)
    kept, _ = holdout_split(y, 1 - maximum / len(y), len(y), seed)
    return kept.to(y.device)


def score_by_class(z: Tensor, y: Tensor, score: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Return `score(the rows of z whose class is k, k)` of every class k in y, a value a row (N,), in the order of the rows.

    >>> score_by_class(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1, 0, 1]), lambda z, k: z[:, 0] + 10 * k)
    tensor([11.,  2., 13.])
    """
    classes = torch.unique(y).tolist()
    rows = [(y == k).nonzero().flatten() for k in classes]
    parts = [score(z[index], k) for index, k in zip(rows, classes, strict=True)]
    return torch.cat([z.new_zeros(0), *parts])[torch.cat([y.new_zeros(0), *rows]).argsort()]
