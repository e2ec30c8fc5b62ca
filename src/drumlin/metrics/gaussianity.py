"""How Gaussian the features of a class are: the shape of its covariance, and a test of normality."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

DIMENSIONS = 10
"""Directions of a class that are tested, at most."""
LEAST = 20
"""Samples that a class needs for its shape to be told. Of n samples that spread alike in d directions, the participation ratio comes
out at about d(n − 1)/(d + n − 1): with 20, that of five directions as 4; with two it is 1, and the first share 100%, whatever d is."""
_MOST = 1_000
_ROUNDING = 1e-6
"""A standard deviation below this share of the largest is none: float32 features are no more exact."""


class SpectrumShape(NamedTuple):
    """Medians over classes: share of the first eigenvalue, participation ratio (Σλ)²/Σλ², and ratio of the largest to the smallest.

    For Λ = I in D dimensions they are 1/D, D and 1; a class on a line has 1, 1 and ∞. NaN where no class has any spread. `classes` is
    the number of those that have, on which the medians rest.
    """

    first_share: float
    participation_ratio: float
    condition: float
    classes: int


def class_spectra(features: npt.ArrayLike, labels: npt.ArrayLike, *, at_least: int = 2) -> Array:
    """Return the eigenvalues of the covariance of each class, the largest first.

    Args:
        features: (N, D), finite.
        labels: (N,) integers.
        at_least: samples that a class needs to count.

    Returns:
        (C, D) of the classes of `at_least` samples or more, in the order of their labels; covariances are divided by the number of
        samples, and have no more than that number less one of eigenvalues above 0.

    Raises:
        ValueError: arrays that do not fit each other, values that are not finite.

    >>> class_spectra([[0, 1], [0, -1], [3, 1], [3, -1]], [0, 0, 0, 0]).round(6).tolist()
    [[2.25, 1.0]]
    """
    spectra = []
    for x in _classes(features, labels, at_least=at_least):
        found = np.square(np.linalg.svd(x - x.mean(0), compute_uv=False)) / len(x)
        spectra.append(np.pad(found, (0, x.shape[1] - len(found))))
    return np.array(spectra).reshape(len(spectra), np.shape(features)[1])


def spectrum_shape(spectra: npt.ArrayLike) -> SpectrumShape:
    """Return what the spectra of classes are like, each class measured by itself.

    Args:
        spectra: (C, D), eigenvalues of each class, the largest first. One below 1e-12 of the largest counts as 0.

    Source: participation ratio: Gao et al. 2017, "A theory of multineuronal dimensionality, dynamics and measurement".

    >>> spectrum_shape([[3.0, 1.0]])
    SpectrumShape(first_share=0.75, participation_ratio=1.6, condition=3.0, classes=1)
    """
    values = np.asarray(spectra, dtype=np.float64)
    values = values[values[:, 0] > 0]
    if not len(values):
        return SpectrumShape(math.nan, math.nan, math.nan, 0)
    total = values.sum(1)
    smallest = np.where(values[:, -1] > _ROUNDING**2 * values[:, 0], values[:, -1], 0.0)
    with np.errstate(divide="ignore"):
        condition = values[:, 0] / smallest
    participation = total**2 / np.square(values).sum(1)
    return SpectrumShape(_median(values[:, 0] / total), _median(participation), _median(condition), len(values))


class NormalityTest(NamedTuple):
    """Henze and Zirkler's statistic, 0 or more, the larger the less normal, and the probability of one as large or larger."""

    statistic: float
    p_value: float


def henze_zirkler(x: npt.ArrayLike) -> NormalityTest:
    """Test whether samples come from a normal distribution of any mean and covariance.

    The statistic is n times a weighted squared distance between the characteristic function of the standardised samples and that of
    N(0, I), with the weight N(0, β²I), β = ((2p+1)n/4)^(1/(p+4))/√2. The test finds every other distribution, given samples enough,
    and does not change under affine maps. The p-value is that of a log-normal distribution with the statistic's own mean and variance.
    All pairs are looked at: memory grows with n².

    Args:
        x: (n, p), finite, n at least 20. Directions in which the samples do not vary are left out.

    Raises:
        ValueError: another shape, fewer samples, no more samples than dimensions, samples that all coincide.

    Source: Henze and Zirkler 1990, "A class of invariant consistent tests for multivariate normality".

    >>> henze_zirkler(np.random.default_rng(0).exponential(size=(100, 2))).p_value < 1e-6
    True
    """
    u = _whitened(_checked(x))
    n, p = u.shape
    b2 = ((2 * p + 1) * n / 4) ** (2 / (p + 4)) / 2
    squares = np.square(u).sum(1)
    between = np.maximum(squares[:, None] + squares - 2 * u @ u.T, 0)
    statistic = (
        np.exp(-b2 / 2 * between).sum() / n
        - 2 * (1 + b2) ** (-p / 2) * np.exp(-b2 / (2 * (1 + b2)) * squares).sum()
        + n * (1 + 2 * b2) ** (-p / 2)
    )
    a, w = 1 + 2 * b2, (1 + b2) * (1 + 3 * b2)
    mean = 1 - a ** (-p / 2) * (1 + p * b2 / a + p * (p + 2) * b2**2 / (2 * a**2))
    variance = (
        2 * (1 + 4 * b2) ** (-p / 2)
        + 2 * a**-p * (1 + 2 * p * b2**2 / a**2 + 3 * p * (p + 2) * b2**4 / (4 * a**4))
        - 4 * w ** (-p / 2) * (1 + 3 * p * b2**2 / (2 * w) + p * (p + 2) * b2**4 / (2 * w**2))
    )
    spread = math.log1p(variance / mean**2)
    score = (math.log(max(statistic, math.ulp(0))) - math.log(mean) + spread / 2) / math.sqrt(spread)
    return NormalityTest(float(statistic), math.erfc(score / math.sqrt(2)) / 2)


def kurtosis_ratio(x: npt.ArrayLike) -> float:
    """Return Mardia's kurtosis over what it is expected to be of normal samples: 1 if Gaussian, above for heavier tails.

    b = (1/n) Σ_i ((x_i − m)ᵀ S⁻¹ (x_i − m))², S divided by n; its expectation is p(p+2)(n−1)/(n+1). An effect's size, where a test's
    p-value falls with the number of samples.

    Args:
        x: as `henze_zirkler`'s.

    Raises:
        ValueError: as `henze_zirkler`.

    Source: Mardia 1970, "Measures of multivariate skewness and kurtosis with applications".

    >>> round(kurtosis_ratio([[-1.0]] * 10 + [[1.0]] * 10), 3)
    0.368
    """
    u = _whitened(_checked(x))
    n, p = u.shape
    return float(np.square(np.square(u).sum(1)).mean() / (p * (p + 2) * (n - 1) / (n + 1)))


class Normality(NamedTuple):
    """Share of the classes that a test at 5% rejects, median over classes of `kurtosis_ratio`, and how many were tested."""

    rejected: float
    kurtosis: float
    classes: int


def normality(features: npt.ArrayLike, labels: npt.ArrayLike, *, dimensions: int = DIMENSIONS) -> Normality:
    """Test the features of each class in its widest directions.

    Of a class at most 1,000 samples are tested, the first, projected on its own principal axes; classes of fewer than 20 samples, or
    than five a direction, or that coincide, are not tested. Of Gaussian classes 5% are rejected; of large classes even slight
    deviations are found, so look at the kurtosis, too.

    Args:
        features: (N, D), finite.
        labels: (N,) integers.
        dimensions: how many directions at most, at least 1.

    Returns:
        NaN, NaN and 0 if there is no class to test.

    Raises:
        ValueError: arrays that do not fit each other, values that are not finite, `dimensions` below 1.

    >>> normality(np.random.default_rng(0).normal(size=(400, 3)), [0] * 200 + [1] * 200).rejected
    0.0
    """
    if dimensions < 1:
        raise ValueError(f"dimensions must be at least 1, not {dimensions}")
    width = min(dimensions, np.shape(features)[1])
    tested = [
        (henze_zirkler(x).p_value < 0.05, kurtosis_ratio(x))
        for whole in _classes(features, labels, at_least=max(LEAST, 5 * width))
        for x in [_widest(whole[:_MOST], width)]
        if x.shape[1]
    ]
    if not tested:
        return Normality(math.nan, math.nan, 0)
    rejected, kurtosis = (np.array(column, dtype=np.float64) for column in zip(*tested, strict=True))
    return Normality(float(rejected.mean()), _median(kurtosis), len(tested))


def _widest(x: Array, dimensions: int) -> Array:
    """Return the samples on the principal axes of greatest variance (n, q), q less where there is no more variance."""
    centred = x - x.mean(0)
    u, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    kept = min(dimensions, int((lengths > _ROUNDING * max(lengths[0], _ROUNDING * np.abs(x).max())).sum()))
    return np.asarray(u[:, :kept] * lengths[:kept])


def _whitened(x: Array) -> Array:
    """Return the samples with mean 0 and covariance I (n, q), divided by n."""
    turned = _widest(x, x.shape[1])
    if not turned.shape[1]:
        raise ValueError("the samples all coincide")
    return np.asarray(turned / np.sqrt(np.square(turned).mean(0)))


def _checked(x: npt.ArrayLike) -> Array:
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"x must be an array (samples, dimensions) of finite numbers; its shape is {values.shape}")
    needed = max(LEAST, values.shape[1] + 1)
    if len(values) < needed:
        raise ValueError(f"x must be at least {needed} samples of {values.shape[1]} dimensions, not {len(values)}")
    return values


def _classes(features: npt.ArrayLike, labels: npt.ArrayLike, *, at_least: int) -> Iterator[Array]:
    """Yield the features of each class that has so many samples."""
    z, y = np.asarray(features, dtype=np.float64), np.asarray(labels)
    if z.ndim != 2 or not z.size or y.shape != z.shape[:1]:
        raise ValueError(f"features and labels must be of shapes (n, d) and (n,), not {z.shape} and {y.shape}")
    if not np.isfinite(z).all():
        raise ValueError(f"features must be finite; {int((~np.isfinite(z)).any(1).sum())} of {len(z)} rows are not")
    order = np.argsort(y, kind="stable")
    _, starts = np.unique(y[order], return_index=True)
    for rows in np.split(order, starts[1:]):
        if len(rows) >= at_least:
            yield z[rows]


def _median(values: Array) -> float:
    """Return the median; of an even number the lower of the two in the middle if the other is infinite."""
    middle = np.sort(values)[[(len(values) - 1) // 2, len(values) // 2]]
    return float(middle.mean() if np.isfinite(middle).all() else middle[0])
