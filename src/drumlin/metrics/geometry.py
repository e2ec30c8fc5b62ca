"""How far apart classes lie in the feature space, and how wide each is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_CHUNK = 512


class PairDistances(NamedTuple):
    """Euclidean distances over the K(K−1)/2 pairs of K points; `cv`, the coefficient of variation, is sd/mean."""

    mean: float
    sd: float
    cv: float
    minimum: float
    maximum: float
    pairs: int


def pair_distances(points: npt.ArrayLike) -> PairDistances:
    """Summarise the distances between points, such as the means of the classes.

    Args:
        points: (K, D), K at least 2.

    Returns:
        Mean, standard deviation (over the pairs, divided by their number), coefficient of variation (0 where all points
        are one), extremes, and the number of pairs.

    Raises:
        ValueError: fewer than two points, or values that are not finite.

    >>> pair_distances([[0, 0], [3, 4], [3, 0]]).mean
    4.0
    """
    x = _matrix("points", points)
    if len(x) < 2:
        raise ValueError("points must be at least 2: one point has no distances")
    pairs = len(x) * (len(x) - 1) // 2
    # Two passes over the chunks: the square of the mean from the mean of the squares would leave only rounding of a
    # small sd.
    total, low, high = 0.0, np.inf, 0.0
    for distances in _distances(x):
        total += distances.sum()
        low, high = min(low, distances.min()), max(high, distances.max())
    mean = total / pairs
    sd = np.sqrt(sum(np.square(distances - mean).sum() for distances in _distances(x)) / pairs)
    return PairDistances(float(mean), float(sd), float(sd / mean) if mean else 0.0, float(low), float(high), pairs)


class Spread(NamedTuple):
    """Width of the classes, `intra`, distance between them, `inter`, and `ratio` = intra/inter."""

    intra: float
    inter: float
    ratio: float


def spread(features: npt.ArrayLike, labels: npt.ArrayLike) -> Spread:
    """Compare the spread inside classes with the distance between them.

    intra = √(mean over samples of ‖z − m_y‖²), m_k the mean of the samples of class k; inter = the mean of ‖m_j − m_k‖
    over pairs of classes that occur. Where one class alone does, `inter` and `ratio` are NaN: it has no distance to another.

    Args:
        features: (N, D).
        labels: (N,) integers.

    Raises:
        ValueError: arrays that do not fit each other, values that are not finite.

    >>> spread([[0, 1], [0, -1], [4, 1], [4, -1]], [0, 0, 1, 1])
    Spread(intra=1.0, inter=4.0, ratio=0.25)
    """
    z, y = _matrix("features", features), np.asarray(labels)
    if y.shape != z.shape[:1]:
        raise ValueError(f"labels must be one a row of features, {len(z)}, not of shape {y.shape}")
    classes, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    means = np.zeros((len(classes), z.shape[1]))
    np.add.at(means, index, z)
    means /= counts[:, None]
    intra = float(np.sqrt(np.square(z - means[index]).sum(1).mean()))
    if len(classes) < 2:
        return Spread(intra, math.nan, math.nan)
    inter = pair_distances(means).mean
    return Spread(intra, inter, intra / inter if inter else np.inf)


def _distances(x: Array) -> Iterator[Array]:
    """Yield the distances of all pairs, a few rows' at a time: K x K is never held."""
    x = x - x.mean(0)
    squares = np.square(x).sum(1)
    for start in range(0, len(x) - 1, _CHUNK):
        rows = x[start : start + _CHUNK]
        squared = squares[start : start + _CHUNK, None] + squares[start:] - 2 * rows @ x[start:].T
        upper = np.triu_indices(len(rows), 1, len(x) - start)
        yield np.sqrt(np.maximum(squared[upper], 0))


def _matrix(name: str, values: npt.ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name} must be an array (n, d) that is not empty, not of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite; {int((~np.isfinite(array)).any(1).sum())} of {len(array)} rows are not"
        )
    return array
