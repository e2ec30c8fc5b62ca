import math

import numpy as np
import pytest
from scipy.stats import binomtest, multivariate_t

from drumlin.metrics.gaussianity import (
    class_spectra,
    henze_zirkler,
    kurtosis_ratio,
    normality,
    spectrum_shape,
)


def statistic_by_loop(x):
    """Henze and Zirkler 1990, pair by pair, S by inversion."""
    n, p = x.shape
    m = x.mean(0)
    inverse = np.linalg.inv((x - m).T @ (x - m) / n)
    beta = ((2 * p + 1) * n / 4) ** (1 / (p + 4)) / math.sqrt(2)
    pairs = sum(math.exp(-(beta**2) / 2 * (a - b) @ inverse @ (a - b)) for a in x for b in x)
    singles = sum(math.exp(-(beta**2) / (2 * (1 + beta**2)) * (a - m) @ inverse @ (a - m)) for a in x)
    return pairs / n - 2 * (1 + beta**2) ** (-p / 2) * singles + n * (1 + 2 * beta**2) ** (-p / 2)


def kurtosis_by_loop(x):
    n, p = x.shape
    m = x.mean(0)
    inverse = np.linalg.inv((x - m).T @ (x - m) / n)
    return np.mean([((a - m) @ inverse @ (a - m)) ** 2 for a in x]) / (p * (p + 2) * (n - 1) / (n + 1))


@pytest.mark.parametrize(("n", "p"), [(20, 1), (40, 3), (60, 12)])
def test_values_by_slow_loops(n, p):
    random = np.random.default_rng(0)
    x = random.normal(size=(n, p)) @ random.normal(size=(p, p)) + 50
    assert henze_zirkler(x).statistic == pytest.approx(statistic_by_loop(x), rel=1e-6)
    assert kurtosis_ratio(x) == pytest.approx(kurtosis_by_loop(x), rel=1e-6)


@pytest.mark.parametrize(("n", "p", "times"), [(20, 2, 400), (60, 10, 400), (200, 5, 150)])
def test_normal_samples_are_rejected_at_the_level_asked_for(n, p, times):
    random = np.random.default_rng(1)
    p_values = np.array([henze_zirkler(random.normal(size=(n, p))).p_value for _ in range(times)])
    for level in (0.05, 0.2):
        assert binomtest(int((p_values < level).sum()), times, level).pvalue > 0.01


def test_the_kurtosis_of_normal_samples_is_one_on_average():
    """At n = 30, p = 8: without the factor (n−1)/(n+1) it would be 0.935."""
    random = np.random.default_rng(2)
    values = [kurtosis_ratio(random.normal(size=(30, 8))) for _ in range(300)]
    assert np.mean(values) == pytest.approx(1, abs=4 * np.std(values) / math.sqrt(300))
    assert np.std(values) / math.sqrt(300) < 0.01


def test_other_distributions_are_found():
    random = np.random.default_rng(3)
    flat = random.uniform(size=(300, 3))
    heavy = multivariate_t(shape=np.eye(3), df=4, seed=4).rvs(300)
    two_hills = random.normal(size=(300, 3)) + 3 * random.choice([-1, 1], size=(300, 1))
    skew = random.exponential(size=(300, 3))
    for x in (flat, heavy, two_hills, skew):
        assert henze_zirkler(x).p_value < 1e-3
    assert kurtosis_ratio(flat) < 0.9
    assert kurtosis_ratio(heavy) > 1.2


def test_affine_maps_and_constant_directions_change_nothing():
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 3)) ** 2
    turned = x @ random.normal(size=(3, 3)) - 7
    wider = np.concatenate([1e3 * x, np.full((80, 2), 5.0)], axis=1)
    for other in (turned, wider):
        assert henze_zirkler(other) == pytest.approx(henze_zirkler(x), rel=1e-6)
        assert kurtosis_ratio(other) == pytest.approx(kurtosis_ratio(x), rel=1e-6)


def test_spectra_are_eigenvalues_of_each_class_covariance():
    random = np.random.default_rng(0)
    z, y = random.normal(size=(70, 6)) * np.arange(1, 7) + 9, random.choice([0, 4, 9], size=70)
    expected = [np.linalg.eigvalsh(np.cov(z[y == k].T, bias=True))[::-1] for k in (0, 4, 9)]
    assert class_spectra(z, y) == pytest.approx(np.array(expected))


def test_spectra_of_small_classes():
    """Two samples in three dimensions have one eigenvalue, one sample has none and is left out."""
    spectra = class_spectra([[0.0, 0, 0], [2, 0, 0], [5, 5, 5]], [1, 1, 3])
    assert spectra == pytest.approx(np.array([[1.0, 0, 0]]))
    assert class_spectra([[0.0, 1.0], [1.0, 0.0]], [0, 1]).shape == (0, 2)
    random = np.random.default_rng(0)
    z, y = random.normal(size=(39, 3)), np.repeat([0, 1], [20, 19])
    assert class_spectra(z, y, at_least=20) == pytest.approx(class_spectra(z[:20], y[:20]))
    assert class_spectra(z, y).shape == (2, 3)


@pytest.mark.parametrize(("n", "d"), [(20, 5), (20, 50), (100, 5)])
def test_few_samples_have_few_dimensions(n, d):
    """Why small classes are left out, as `LEAST` says: five directions come out at 4 of twenty samples, any number at 1 of two."""
    z = np.random.default_rng(0).normal(size=(200 * n, d))
    found = spectrum_shape(class_spectra(z, np.repeat(np.arange(200), n)))
    assert found.participation_ratio == pytest.approx(d * (n - 1) / (d + n - 1), rel=0.05)
    two = spectrum_shape(class_spectra(z[:400], np.repeat(np.arange(200), 2)))
    assert two[:2] == pytest.approx((1, 1))


def test_shape_of_spectra_by_hand():
    assert spectrum_shape([[1.0] * 4]) == (0.25, 4, 1, 1)
    assert spectrum_shape([[5.0, 0, 0]]) == (1, 1, math.inf, 1)
    assert spectrum_shape([[5.0, 5e-13]]).condition == math.inf  # below the rounding of features
    # medians over classes, each by itself: the scale of a class does not matter
    three = spectrum_shape([[1.0, 1.0], [300.0, 100.0], [9.0, 1.0], [0.0, 0.0]])
    assert three == pytest.approx((0.75, 1.6, 3, 3))  # the class without spread is in none of them
    assert spectrum_shape([[2.0, 1.0], [1.0, 0.0]]).condition == 2  # of an even number with one infinite
    *values, classes = spectrum_shape([[0.0, 0.0]])
    assert all(math.isnan(value) for value in values)
    assert classes == 0


def test_normality_of_classes():
    random = np.random.default_rng(0)
    gaussian, uniform = random.normal(size=(600, 12)), random.uniform(size=(600, 12))
    few, one_point = random.normal(size=(49, 12)), np.full((100, 12), 3.25)
    z = np.concatenate([gaussian + 40, few, uniform, one_point])
    y = np.repeat([0, 1, 2, 3], [600, 49, 600, 100])
    found = normality(z, y)
    assert (found.rejected, found.classes) == (0.5, 2)
    assert found.kurtosis == pytest.approx((kurtosis_of_widest(gaussian) + kurtosis_of_widest(uniform)) / 2)
    order = random.permutation(len(y))
    assert normality(z[order], y[order]) == pytest.approx(found)
    nothing = normality(few, [0] * 49)
    assert math.isnan(nothing.rejected)
    assert nothing.classes == 0


def kurtosis_of_widest(x, dimensions=10):
    _, axes = np.linalg.eigh(np.cov(x.T))
    return kurtosis_by_loop(x @ axes[:, -dimensions:])


def test_the_widest_directions_count_and_no_others():
    """Two wide Gaussian directions, and a narrow one that is anything but."""
    random = np.random.default_rng(0)
    z = np.concatenate([9 * random.normal(size=(800, 2)), random.exponential(size=(800, 1))], axis=1)
    assert normality(z, [0] * 800, dimensions=2).rejected == 0
    assert normality(z, [0] * 800, dimensions=3).rejected == 1


def test_of_a_large_class_the_first_thousand_are_tested():
    random = np.random.default_rng(0)
    z = np.concatenate([random.normal(size=(1000, 2)), 100 + random.exponential(size=(1000, 2))])
    assert normality(z, [0] * 2000) == normality(z[:1000], [0] * 1000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: henze_zirkler(np.zeros((19, 2))), "x must be at least 20 samples of 2 dimensions, not 19"),
        (lambda: henze_zirkler(np.zeros((30, 30))), "x must be at least 31 samples of 30 dimensions, not 30"),
        (lambda: kurtosis_ratio(np.ones((30, 2))), "the samples all coincide"),
        (lambda: kurtosis_ratio(np.full((30, 2), math.nan)), "finite"),
        (lambda: henze_zirkler(np.zeros(30)), r"its shape is \(30,\)"),
        (lambda: class_spectra([[1.0], [2.0]], [0]), r"not \(2, 1\) and \(1,\)"),
        (lambda: normality([[1.0], [math.inf]], [0, 0]), "features must be finite; 1 of 2 rows are not"),
        (lambda: normality([[1.0]], [0], dimensions=0), "dimensions must be at least 1, not 0"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
