import math

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from drumlin.metrics.clustering import CLUSTERINGS, agreement, k_means, ward

THREE = [[0.0, 0], [0.1, 0], [0, 0.1], [9, 0], [9.1, 0], [0, 9], [0, 9.1], [0.1, 9]]


def partition(clusters):
    return {frozenset(np.flatnonzero(clusters == c).tolist()) for c in np.unique(clusters)}


@pytest.mark.parametrize("name", CLUSTERINGS)
def test_what_is_plain_to_see_is_found(name):
    found = CLUSTERINGS[name](THREE, 3, 0)
    assert partition(found) == {frozenset({0, 1, 2}), frozenset({3, 4}), frozenset({5, 6, 7})}
    assert sorted(set(found.tolist())) == [0, 1, 2]
    assert partition(CLUSTERINGS[name](THREE, 8, 0)) == {frozenset({i}) for i in range(8)}
    assert partition(CLUSTERINGS[name](THREE, 1, 0)) == {frozenset(range(8))}


def test_ward_is_wards_linkage():
    """Not average or complete linkage, which cut this otherwise."""
    x = np.random.default_rng(0).normal(size=(60, 2)) ** 3
    assert partition(ward(x, 4)) == partition(fcluster(linkage(x, "ward"), 4, "maxclust"))
    for other in ("average", "complete"):
        assert partition(ward(x, 4)) != partition(fcluster(linkage(x, other), 4, "maxclust"))


def test_k_means_follows_its_seed():
    x = np.random.default_rng(0).normal(size=(200, 5))
    assert np.array_equal(k_means(x, 7, seed=3), k_means(x, 7, seed=3))
    assert not np.array_equal(k_means(x, 7, seed=3), k_means(x, 7, seed=4))


def entropy(y):
    p = np.unique(y, return_counts=True)[1] / len(y)
    return float(-(p * np.log(p)).sum())


def test_agreement_by_the_formulas():
    y = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
    c = np.array([5, 5, 6, 6, 6, 7, 7, 7, 5, 7])
    mutual = entropy(y) + entropy(c) - entropy(10 * y + c)
    found = agreement(y, c)
    assert found.nmi == pytest.approx(2 * mutual / (entropy(y) + entropy(c)))
    assert found.nmi_geometric == pytest.approx(mutual / math.sqrt(entropy(y) * entropy(c)))
    assert found.nmi < found.nmi_geometric
    # the expectation over clusters of the same sizes, by drawing them
    random = np.random.default_rng(0)
    drawn = [random.permutation(c) for _ in range(4000)]
    chance = np.mean([entropy(y) + entropy(d) - entropy(10 * y + d) for d in drawn])
    expected = (mutual - chance) / ((entropy(y) + entropy(c)) / 2 - chance)
    assert found.ami == pytest.approx(expected, abs=0.01)


def test_limits():
    y = np.arange(6) % 3
    assert agreement(y, 10 - y) == pytest.approx((1, 1, 1))
    assert agreement(y, np.zeros(6, dtype=int)) == pytest.approx((0, 0, 0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: agreement([1, 1], [0, 1]), "labels are all 1: clusters can only agree with two classes or more"),
        (lambda: agreement([0, 1], [0]), r"not of shapes \(2,\) and \(1,\)"),
        (lambda: agreement([], []), r"not of shapes \(0,\) and \(0,\)"),
        (lambda: k_means([[0.0], [1.0]], 3), r"clusters must be in \[1, 2\], the number of samples, not 3"),
        (lambda: ward([[0.0], [1.0]], 0), r"clusters must be in \[1, 2\]"),
        (lambda: ward([0.0, 1.0], 1), r"features must be an array \(n, d\).* not of shape \(2,\)"),
        (lambda: k_means([[0.0], [math.nan]], 1), "features must be finite; 1 of 2 rows are not"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
