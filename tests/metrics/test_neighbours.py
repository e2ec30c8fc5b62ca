from collections import Counter

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from drumlin.metrics.neighbours import majority


def by_loop(classes):
    """The most frequent; of several the one met first."""
    decided = []
    for row in classes.tolist():
        votes = Counter(row)
        decided.append(next(c for c in row if votes[c] == max(votes.values())))
    return decided


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([[4]], [4]),
        ([[1, 0]], [1]),  # a tie: the nearer, not the smaller
        ([[2, 0, 0]], [0]),  # more votes than the nearest
        ([[2, 0, 0, 2]], [2]),
        ([[5, 1, 1, 0, 0]], [1]),  # the nearest of all is out; of the two that tie the nearer
    ],
)
def test_by_hand(classes, expected):
    assert majority(classes).tolist() == expected


@pytest.mark.parametrize("k", [1, 5, 10])
def test_by_a_slow_loop(k):
    classes = np.random.default_rng(0).integers(0, 4, (200, k))
    assert majority(classes).tolist() == by_loop(classes)


def test_scikit_learn_where_nothing_ties():
    random = np.random.default_rng(0)
    x, y, z = random.normal(size=(80, 3)), random.integers(0, 2, 80), random.normal(size=(30, 3))
    for k in (1, 5, 7):  # odd, of two classes
        theirs = KNeighborsClassifier(k).fit(x, y)
        assert np.array_equal(majority(y[theirs.kneighbors(z, return_distance=False)]), theirs.predict(z))


@pytest.mark.parametrize("classes", [[1, 2], [[1.0]], np.zeros((3, 0), dtype=int)])
def test_what_is_no_neighbours(classes):
    with pytest.raises(ValueError, match=r"classes must be integers \(samples, neighbours\), not .* of shape"):
        majority(classes)
