import math

import numpy as np
import pytest
from sklearn.metrics import log_loss

from drumlin.metrics.calibration import brier, ece, nll

RANDOM = np.random.default_rng(0)
P = RANDOM.dirichlet(np.ones(4), size=200)
Y = RANDOM.integers(4, size=200)


def test_against_slow_references():
    assert nll(P, Y) == pytest.approx(log_loss(Y, P, labels=range(4)))
    assert brier(P, Y) == pytest.approx(
        np.mean([sum((P[i, k] - (Y[i] == k)) ** 2 for k in range(4)) for i in range(len(Y))])
    )
    gaps = 0.0
    for b in range(10):
        inside = [i for i in range(len(Y)) if b / 10 < P[i].max() <= (b + 1) / 10]
        if inside:
            accuracy = np.mean([P[i].argmax() == Y[i] for i in inside])
            gaps += len(inside) * abs(accuracy - np.mean([P[i].max() for i in inside]))
    assert ece(P, Y, bins=10) == pytest.approx(gaps / len(Y))


def test_ece_by_hand():
    # Two bins: confidences 0.5, 0.5 (both wrong) and 1, 0.75 (both right): gaps 0.5 and 0.125, which one bin would offset.
    p = [[0.5, 0.5], [0.5, 0.5], [0.0, 1.0], [0.25, 0.75]]
    assert ece(p, [1, 1, 1, 1], bins=2) == pytest.approx(0.5 * 0.5 + 0.5 * 0.125)


def test_ece_of_calibrated_probabilities_vanishes():
    p = np.tile([0.8, 0.2], (10, 1))
    assert ece(p, [0] * 8 + [1] * 2) == pytest.approx(0)
    assert ece(p, [1] * 10) == pytest.approx(0.8)


def test_limits():
    certain = [[1.0, 0.0]]
    assert (ece(certain, [0]), brier(certain, [0]), nll(certain, [0])) == (0, 0, 0)
    assert (ece(certain, [1]), brier(certain, [1]), nll(certain, [1])) == (1, 2, math.inf)


@pytest.mark.parametrize("function", [ece, brier, nll])
@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([0.5, 0.5], [0], r"probabilities must be an array \(samples, classes\), not of shape \(2,\)"),
        ([], [], "probabilities must be an array"),
        ([[0.5, 0.5]], [0, 1], "labels must be 1 integers"),
        ([[0.5, 0.5]], [0.0], "labels must be 1 integers.*float64"),
        ([[0.5, 0.5]], [2], r"labels must be in \[0, 2\), not in \[2, 2\]"),
        ([[0.5, 0.5]], [-1], r"labels must be in \[0, 2\)"),
        ([[3.0, -2.0]], [0], "are these logits"),
        ([[0.5, 0.4]], [0], "sum to 1"),
        ([[math.nan, 0.5]], [0], "sum to 1"),
    ],
)
def test_bad_arguments_are_refused(function, probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        function(probabilities, labels)


def test_no_bins_are_refused():
    with pytest.raises(ValueError, match="bins must be at least 1, not 0"):
        ece([[1.0, 0.0]], [0], bins=0)
