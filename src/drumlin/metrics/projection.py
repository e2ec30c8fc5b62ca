"""Two directions of a space of many: those of greatest variance, and those that tell the classes apart best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

Array = npt.NDArray[np.float64]

_LEAST = 1e-9
"""A second direction that is shorter than this share of the first holds nothing but rounding."""


class Projection(NamedTuple):
    """x ↦ (x − origin) axes, from D dimensions to two: origin (D,), axes (D, 2)."""

    origin: Array
    axes: Array

    def points(self, x: npt.ArrayLike) -> Array:
        """Return points (N, D) in the plane (N, 2).

        >>> Projection(np.array([1.0, 0.0, 0.0]), np.eye(3)[:, 1:]).points([[9.0, 2.0, 3.0]]).tolist()
        [[2.0, 3.0]]
        """
        return (np.asarray(x, dtype=np.float64) - self.origin) @ self.axes


def plane(dimensions: int) -> Projection:
    """Return the projection that leaves points of two dimensions as they are.

    Raises:
        ValueError: another number of dimensions.
    """
    if dimensions != 2:
        raise ValueError(f"points have {dimensions} dimensions; only those of 2 lie in a plane as they are")
    return Projection(np.zeros(2), np.eye(2))


def principal_plane(x: npt.ArrayLike) -> Projection:
    """Return the plane of greatest variance, through the mean, by principal component analysis; axes of length 1.

    Args:
        x: (N, D), finite, N at least 2. Where there is only one dimension the second axis is 0.

    >>> x = np.array([[0.0, 0.0, 5.0], [8.0, 0.0, 5.0], [0.0, 2.0, 5.0], [8.0, 2.0, 5.0]])
    >>> np.abs(principal_plane(x).axes).round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    values = np.asarray(x, dtype=np.float64)
    found = min(2, *values.shape)
    with np.errstate(invalid="ignore"):  # of points that are all one, each direction has 0/0 of the variance
        # It draws at random only where there are very many dimensions.
        fitted = PCA(found, random_state=0).fit(values)  # type: ignore[no-untyped-call]
    axes = np.zeros((values.shape[1], 2))
    axes[:, :found] = fitted.components_.T
    return Projection(fitted.mean_, axes)


def discriminant_plane(x: npt.ArrayLike, y: npt.ArrayLike) -> Projection | None:
    """Return the plane that tells the classes apart best, by linear discriminant analysis; None where there is none.

    The axes are scaled so that the mean covariance inside a class is the identity.

    Args:
        x: (N, D), finite.
        y: class of each point (N,).

    Returns:
        None for fewer than three classes, no more points than classes, or classes whose means lie on a line.
    """
    values, labels = np.asarray(x, dtype=np.float64), np.asarray(y)
    classes, number = np.unique(labels, return_inverse=True)
    if len(classes) < 3 or len(values) <= len(classes) or values.shape[1] < 2:
        return None
    means = np.stack([values[number == k].mean(0) for k in range(len(classes))])
    if np.abs(values - means[number]).max() <= _LEAST * np.abs(means).max():  # no spread inside a class, so no scale
        return None
    with np.errstate(all="ignore"):
        fitted = LinearDiscriminantAnalysis(solver="svd").fit(values, labels)  # type: ignore[no-untyped-call]
    axes = np.asarray(fitted.scalings_)[:, :2]
    lengths = np.linalg.norm(axes, axis=0)
    if axes.shape[1] < 2 or not np.isfinite(axes).all() or lengths.min() <= _LEAST * lengths.max():
        return None
    return Projection(np.asarray(fitted.xbar_), axes)
