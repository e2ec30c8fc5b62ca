import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from drumlin.metrics import geometry
from drumlin.metrics.geometry import pair_distances, spread


@pytest.mark.parametrize("points", [2, 3, 40])
@pytest.mark.parametrize("chunk", [1, 7, 40, 512])
def test_pair_distances_agree_with_scipy_whatever_the_chunk(points, chunk, monkeypatch):
    monkeypatch.setattr(geometry, "_CHUNK", chunk)
    x = np.random.default_rng(0).normal(size=(points, 5))
    d = pdist(x)
    expected = (d.mean(), d.std(), d.std() / d.mean(), d.min(), d.max(), len(d))
    assert pair_distances(x) == pytest.approx(expected, abs=1e-12)


def test_far_from_the_origin_nothing_is_lost():
    x = np.random.default_rng(0).normal(size=(20, 5))
    assert pair_distances(x + 1e6) == pytest.approx(pair_distances(x), rel=1e-7)


def test_a_regular_simplex_has_no_variation():
    result = pair_distances(2.725 / math.sqrt(2) * np.eye(10))
    assert result.mean == pytest.approx(2.725)
    assert result.cv < 1e-12
    assert result.pairs == 45


def test_collapsed_points_have_no_variation_and_no_nan():
    assert pair_distances(np.ones((3, 2))) == (0, 0, 0, 0, 0, 3)


def test_spread_by_a_slow_loop():
    random = np.random.default_rng(0)
    z, y = random.normal(size=(60, 4)), random.choice([0, 2, 5], size=60)
    means = {k: z[y == k].mean(0) for k in (0, 2, 5)}
    intra = math.sqrt(np.mean([np.sum((a - means[b]) ** 2) for a, b in zip(z, y, strict=True)]))
    inter = np.mean([np.linalg.norm(means[a] - means[b]) for a, b in ((0, 2), (0, 5), (2, 5))])
    assert spread(z, y) == pytest.approx((intra, inter, intra / inter))


def test_spread_of_classes_with_one_mean():
    result = spread([[1.0], [-1.0], [1.0], [-1.0]], [0, 0, 1, 1])
    assert result == (1, 0, math.inf)


def test_one_class_has_a_spread_and_no_distance():
    intra, inter, ratio = spread([[1.0], [5.0]], [3, 3])
    assert intra == 2
    assert math.isnan(inter)
    assert math.isnan(ratio)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pair_distances([[1.0, 2.0]]), "points must be at least 2"),
        (lambda: pair_distances([1.0, 2.0]), r"points must be an array \(n, d\).*not of shape \(2,\)"),
        (lambda: pair_distances([[1.0], [math.nan], [math.inf]]), "points must be finite; 2 of 3 rows are not"),
        (lambda: spread([[1.0], [2.0]], [0]), r"labels must be one a row of features, 2, not of shape \(1,\)"),
        (lambda: spread([[1.0], [math.nan]], [0, 1]), "features must be finite; 1 of 2"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
