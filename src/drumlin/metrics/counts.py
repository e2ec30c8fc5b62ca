"""Scores of normal samples and anomalies as counts, which all detection metrics are functions of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """How many normal and anomalous samples have each distinct score, from the largest score down.

    All metrics here are functions of these counts; resampling changes the counts and leaves the order, so it needs no
    sorting.

    >>> counts = Counts.of([0, 1, 1], [1, 2])
    >>> counts.negative.tolist(), counts.positive.tolist()
    ([0.0, 2.0, 1.0], [1.0, 1.0, 0.0])
    """

    negative: Array
    positive: Array

    @classmethod
    def of(cls, negative: npt.ArrayLike, positive: npt.ArrayLike) -> Counts:
        """Count the scores of normal samples, `negative` (n,), and of anomalies, `positive` (m,).

        Raises:
            ValueError: an argument is empty, not of one dimension, or has NaN in it.
        """
        return ranked(negative, positive)[0]

    def swapped(self) -> Counts:
        """Return the counts with the normal samples as positives, found by small scores."""
        return Counts(self.positive[::-1], self.negative[::-1])

    def cumulative(self) -> tuple[Array, Array]:
        """Return the false and the true positives at every threshold, starting with one above all scores: 0 of both."""
        start = np.zeros(1)
        return (
            np.concatenate([start, np.cumsum(self.negative)]),
            np.concatenate([start, np.cumsum(self.positive)]),
        )


def ranked(
    negative: npt.ArrayLike, positive: npt.ArrayLike
) -> tuple[Counts, npt.NDArray[np.intp], npt.NDArray[np.intp], Array]:
    """Return counts, each sample's index into them, and the distinct scores, falling; it refuses what `Counts.of` does."""
    low, high = _scores("negative", negative), _scores("positive", positive)
    scores, inverse = np.unique(np.concatenate([low, high]), return_inverse=True)
    ranks = len(scores) - 1 - inverse
    low_ranks, high_ranks = ranks[: len(low)], ranks[len(low) :]
    counts = Counts(*(np.bincount(part, minlength=len(scores)).astype(np.float64) for part in (low_ranks, high_ranks)))
    return counts, low_ranks, high_ranks, scores[::-1]


def _scores(name: str, values: npt.ArrayLike) -> Array:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or not len(scores):
        raise ValueError(f"{name} must be an array (n,) of at least one score, not of shape {scores.shape}")
    bad = int(np.isnan(scores).sum())
    if bad:
        raise ValueError(f"{name} has NaN for {bad} of {len(scores)} scores: NaN has no rank; find where it comes from")
    return scores
