import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from drumlin.metrics.bootstrap import bootstrap
from drumlin.metrics.counts import Counts
from drumlin.metrics.detection import (
    METRICS,
    aupr_in,
    aupr_out,
    auroc,
    detection_metrics,
    eer,
    fpr_at_tpr,
    roc_curve,
    tpr_at_fpr,
)

# Few distinct values: most draws have ties inside and across the two sets.
tied = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30)
continuous = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)
scores = tied | continuous


def joined(negative, positive):
    return np.r_[np.zeros(len(negative)), np.ones(len(positive))], np.r_[negative, positive]


def thresholds(negative, positive):
    return [math.inf, *sorted({*negative, *positive}, reverse=True)]


def rates(negative, positive, threshold):
    return np.mean(np.array(negative) >= threshold), np.mean(np.array(positive) >= threshold)


@given(scores, scores)
def test_areas_agree_with_scikit_learn(negative, positive):
    truth, values = joined(negative, positive)
    assert auroc(negative, positive) == pytest.approx(oracle.roc_auc_score(truth, values), abs=1e-12)
    assert aupr_out(negative, positive) == pytest.approx(oracle.average_precision_score(truth, values), abs=1e-12)
    assert aupr_in(negative, positive) == pytest.approx(oracle.average_precision_score(1 - truth, -values), abs=1e-12)


@given(scores, scores)
def test_curve_agrees_with_scikit_learn(negative, positive):
    truth, values = joined(negative, positive)
    fpr, tpr, threshold = oracle.roc_curve(truth, values, drop_intermediate=False)
    ours = roc_curve(negative, positive)
    np.testing.assert_allclose(ours.fpr, fpr, atol=1e-12)
    np.testing.assert_allclose(ours.tpr, tpr, atol=1e-12)
    np.testing.assert_array_equal(ours.threshold[1:], threshold[1:])
    assert math.isnan(ours.threshold[0])


@given(scores, scores)
def test_auroc_is_the_probability_of_the_right_order(negative, positive):
    wins = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert auroc(negative, positive) == pytest.approx(np.mean(wins), abs=1e-12)


@given(scores, scores, st.sampled_from([0.01, 0.05, 0.5, 0.9, 0.95, 1.0]))
def test_rates_at_rates_by_trying_every_threshold(negative, positive, share):
    points = [rates(negative, positive, threshold) for threshold in thresholds(negative, positive)]
    expected = min(fpr for fpr, tpr in points if tpr >= share - 1e-9)
    assert fpr_at_tpr(negative, positive, share) == pytest.approx(expected, abs=1e-12)
    expected = max(tpr for fpr, tpr in points if fpr <= share + 1e-9)
    assert tpr_at_fpr(negative, positive, share) == pytest.approx(expected, abs=1e-12)


@given(scores, scores)
def test_eer_is_where_the_curve_meets_the_diagonal(negative, positive):
    value = eer(negative, positive)
    fpr, tpr, _ = roc_curve(negative, positive)
    # The point (value, 1 - value) lies on a segment: inside its box, and on its line.
    slack = 1e-9
    assert any(
        fpr[i] - slack <= value <= fpr[i + 1] + slack
        and tpr[i] - slack <= 1 - value <= tpr[i + 1] + slack
        and abs((fpr[i + 1] - fpr[i]) * (1 - value - tpr[i]) - (tpr[i + 1] - tpr[i]) * (value - fpr[i])) < slack
        for i in range(len(fpr) - 1)
    )


@given(scores, scores)
def test_swapping_sides_and_signs_swaps_the_precisions(negative, positive):
    turned = [-s for s in positive], [-s for s in negative]
    assert auroc(*turned) == pytest.approx(auroc(negative, positive), abs=1e-12)
    assert aupr_out(*turned) == pytest.approx(aupr_in(negative, positive), abs=1e-12)
    assert eer(*turned) == pytest.approx(eer(negative, positive), abs=1e-12)


@given(scores, scores)
def test_only_the_order_matters(negative, positive):
    ranks = {score: rank for rank, score in enumerate(sorted({*negative, *positive}))}
    assert detection_metrics([ranks[s] for s in negative], [ranks[s] for s in positive]) == detection_metrics(
        negative, positive
    )


def test_by_hand():
    negative, positive = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [9, 11, 12, 13]
    # 9 ties with one normal score and beats eight.
    assert auroc(negative, positive) == pytest.approx((3 * 10 + 8.5) / 40)
    assert fpr_at_tpr(negative, positive) == 0.2
    assert tpr_at_fpr(negative, positive, 0.01) == 0.75
    assert tpr_at_fpr(negative, positive, 0.2) == 1.0
    assert aupr_out(negative, positive) == pytest.approx(0.75 + 0.25 * 4 / 6)
    # From (FPR, FNR) = (0.1, 0.25) to (0.2, 0): 0.1 + 0.1 t = 0.25 (1 - t).
    assert eer(negative, positive) == pytest.approx(0.1 + 0.1 * 0.15 / 0.35)


def test_limits():
    assert detection_metrics([0, 1], [2, 3]) == {
        "auroc": 1.0,
        "aupr_out": 1.0,
        "aupr_in": 1.0,
        "fpr95": 0.0,
        "eer": 0.0,
        "tpr_at_fpr1": 1.0,
        "tpr_at_fpr5": 1.0,
    }
    worst = detection_metrics([2, 3], [0, 1])
    assert (worst["auroc"], worst["fpr95"], worst["eer"], worst["tpr_at_fpr5"]) == (0, 1, 1, 0)
    blind = detection_metrics([7, 7, 7], [7])
    assert (blind["auroc"], blind["aupr_out"], blind["fpr95"], blind["eer"]) == (0.5, 0.25, 1, 0.5)


def test_infinite_scores_rank_at_the_ends():
    assert auroc([-math.inf, 0], [math.inf, 1]) == 1
    assert auroc([0, math.inf], [math.inf, 1]) == (0.5 + 1 + 0 + 1) / 4
    assert fpr_at_tpr([0, math.inf], [math.inf]) == 0.5


def test_shares_that_binary_cannot_hold():
    assert 0.07 * 100 > 7  # in floating point
    assert fpr_at_tpr([92.5], range(100), 0.07) == 0  # 7 of 100 anomalies are above 92.5
    assert fpr_at_tpr([93.5], range(100), 0.07) == 1  # 6 are above 93.5
    assert 0.29 * 100 < 29
    assert tpr_at_fpr(range(100), [71], 0.29) == 1  # 71, ..., 99 are 29 false alarms
    assert tpr_at_fpr(range(100), [70], 0.29) == 0


@pytest.mark.parametrize(
    ("negative", "positive", "message"),
    [
        ([], [1], r"negative must be an array \(n,\) of at least one score, not of shape \(0,\)"),
        ([1], [[1, 2]], r"positive must be .* not of shape \(1, 2\)"),
        ([1, math.nan, math.nan], [1], "negative has NaN for 2 of 3 scores"),
        ([1], [math.nan], "positive has NaN for 1 of 1 scores"),
    ],
)
@pytest.mark.parametrize(
    "function", [auroc, aupr_in, aupr_out, eer, fpr_at_tpr, roc_curve, detection_metrics, bootstrap]
)
def test_bad_scores_are_refused(function, negative, positive, message):
    with pytest.raises(ValueError, match=message):
        function(negative, positive)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"tpr must be in \(0, 1\], not 95"):
        fpr_at_tpr([0], [1], 95)
    with pytest.raises(ValueError, match=r"fpr must be in \(0, 1\], not 0"):
        tpr_at_fpr([0], [1], 0)
    with pytest.raises(ValueError, match="unknown metric 'aurroc': did you mean 'auroc'"):
        bootstrap([0], [1], metrics=["aurroc"])
    with pytest.raises(ValueError, match="repeats must be at least 1, not 0"):
        bootstrap([0], [1], repeats=0)
    with pytest.raises(ValueError, match=r"level must be in \(0, 1\), not 95"):
        bootstrap([0], [1], level=95)


def test_counting_equals_repeating_samples():
    weighted = Counts(np.array([2.0, 0.0, 1.0]), np.array([1.0, 3.0, 0.0]))
    negative, positive = [2, 2, 0], [2, 1, 1, 1]
    for name, metric in METRICS.items():
        assert metric(weighted) == pytest.approx(detection_metrics(negative, positive)[name]), name
