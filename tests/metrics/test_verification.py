import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from drumlin.metrics.verification import best_threshold, count_right, folded_accuracy, roc, verification_metrics


def drawn(n, seed, *, step=None):
    """Distances of pairs, those of the same somewhat smaller; with a step, many of them equal."""
    random = np.random.default_rng(seed)
    same = random.random(n) < 0.5
    d = random.gamma(4.0, size=n) * np.where(same, 0.6, 1.0)
    return (d if step is None else np.round(d / step) * step), same


def most_right(d, same):
    """By trying every threshold that makes a difference."""
    return max(int(((d <= t) == same).sum()) for t in [-math.inf, *d])


@pytest.mark.parametrize(
    ("distances", "same", "expected"),
    [
        ([1.0, 3.0], [True, False], 2.0),
        ([3.0, 1.0], [True, False], -math.inf),  # nothing gets more than one right: the smallest that does
        ([1.0, 2.0, 3.0], [True, True, False], 2.5),
        ([1.0, 2.0, 2.0, 3.0], [True, True, False, True], math.inf),  # 2 and 2 cannot be parted: 3 right with all
        ([2.0, 2.0, 1.0], [False, True, True], 1.5),  # a tie of 1.5 and ∞, two right each
        ([1.0, 2.0, 3.0, 4.0], [True, False, True, False], 1.5),  # 1.5 and 3.5 get three right each
        ([1 + 2**-52, 1 + 2**-51], [True, False], 1 + 2**-52),  # no number between them: half-way rounds up
    ],
)
def test_thresholds_by_hand(distances, same, expected):
    assert best_threshold(distances, same) == expected


@pytest.mark.parametrize("step", [None, 0.5, 3.0])
def test_no_threshold_gets_more_right(step):
    for seed in range(30):
        d, same = drawn(25, seed, step=step)
        assert count_right(d, same, best_threshold(d, same)) == most_right(d, same)


def test_order_of_the_pairs_does_not_matter():
    d, same = drawn(50, 0, step=0.5)
    order = np.random.default_rng(1).permutation(50)
    assert best_threshold(d[order], same[order]) == best_threshold(d, same)


def test_folds_by_hand():
    # fold 0 is parted at 1.5, fold 1 at 3.5: each is measured with the other's threshold
    d = [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]
    same = [True, False] * 4
    found = folded_accuracy(d, same, [0] * 4 + [7] * 4)
    assert found.thresholds.tolist() == [3.5, 1.5]
    assert found.accuracies.tolist() == [0.5, 0.5]
    assert (found.mean, found.standard_error) == (0.5, 0)


def test_standard_error_by_hand():
    """Accuracies 1, 1, 0.5: sd √(1/12), over √3."""
    d = [1.0, 9.0, 1.0, 9.0, 8.0, 9.0]
    found = folded_accuracy(d, [True, False] * 3, [0, 0, 1, 1, 2, 2])
    assert found.accuracies.tolist() == [1, 1, 0.5]
    assert found.mean == pytest.approx(2.5 / 3)
    assert found.standard_error == pytest.approx(math.sqrt(1 / 12) / math.sqrt(3))


def test_folds_of_one_accuracy_have_no_error():
    """Also where their mean is rounded, as that of 0.8 three times is."""
    d, same = [1.0, 1.0, 1.0, 3.0, 2.0], [True] * 4 + [False]
    found = folded_accuracy(np.tile(d, 3), np.tile(same, 3), np.repeat(range(3), 5))
    assert found.accuracies.tolist() == [0.8] * 3
    assert found.accuracies.std(ddof=1) > 0
    assert found.standard_error == 0


def test_folds_by_a_slow_loop():
    d, same = drawn(200, 0)
    fold = np.random.default_rng(1).permutation(200) % 10
    expected = []
    for one in range(10):
        t = best_threshold(d[fold != one], same[fold != one])
        expected.append(np.mean([(a <= t) == b for a, b, f in zip(d, same, fold, strict=True) if f == one]))
    found = folded_accuracy(d, same, fold)
    assert found.accuracies == pytest.approx(expected)
    assert found.standard_error == pytest.approx(np.std(expected, ddof=1) / math.sqrt(10))


def test_a_fold_does_not_see_its_own_labels():
    d, same = drawn(100, 0)
    fold = np.arange(100) % 5
    changed = np.where(fold == 2, ~same, same)
    before, after = folded_accuracy(d, same, fold), folded_accuracy(d, changed, fold)
    assert before.thresholds[2] == after.thresholds[2]
    assert after.accuracies[2] == pytest.approx(1 - before.accuracies[2])


def test_rates_agree_with_scikit_learn():
    d, same = drawn(3000, 0, step=0.01)
    found = verification_metrics(d, same)
    fpr, tpr, _ = roc_curve(same, -d, drop_intermediate=False)
    assert found["auroc"] == pytest.approx(roc_auc_score(same, -d))
    assert found["tpr@fpr=0.01"] == tpr[fpr <= 0.01].max()
    assert found["tpr@fpr=0.001"] == tpr[fpr <= 0.001].max()
    at = found["equal-error-rate"]
    assert np.interp(at, fpr, tpr) == pytest.approx(1 - at)
    curve = roc(d, same)
    assert curve.fpr == pytest.approx(fpr)
    assert curve.tpr == pytest.approx(tpr)


def test_pairs_of_the_same_are_the_positives():
    """Two of the same are nearest, the third farthest of all: no false alarm up to two thirds of them."""
    found = verification_metrics([1.0, 2.0, 9.0] + [3.0, 4.0] * 500, [True] * 3 + [False] * 1000)
    assert found["tpr@fpr=0.001"] == pytest.approx(2 / 3)
    assert found["auroc"] == pytest.approx(2 / 3)
    assert list(found) == ["auroc", "equal-error-rate", "tpr@fpr=0.01", "tpr@fpr=0.001"]


@pytest.mark.parametrize(("different", "known"), [(6, 0), (99, 0), (100, 1), (999, 1), (1000, 2)])
def test_a_rate_of_fewer_pairs_than_it_takes_has_no_value(different, known):
    found = verification_metrics(np.arange(different + 5.0), np.arange(different + 5) < 5)
    rates = [found[f"tpr@fpr={fpr}"] for fpr in (0.01, 0.001)]
    assert rates[:known] == [1.0] * known
    assert all(math.isnan(rate) for rate in rates[known:])
    assert found["auroc"] == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_threshold([1.0, 2.0], [True, True]), "both kinds; 2 of 2 are of the same, 0 of different"),
        (lambda: roc([1.0, 2.0], [False, False]), "both kinds; 0 of 2 are of the same, 2 of different"),
        (lambda: verification_metrics([], np.array([], dtype=bool)), "both kinds; 0 of 0"),
        (lambda: best_threshold([1.0, math.nan], [True, False]), "distances must be finite; 1 of 2 are not"),
        (lambda: best_threshold([1.0, math.inf], [True, False]), "distances must be finite"),
        (lambda: best_threshold([1.0, 2.0], [1, 0]), "must be numbers and booleans"),
        (lambda: best_threshold([1.0, 2.0], [True]), r"of shapes \(2,\) and \(1,\)"),
        (lambda: folded_accuracy([1.0, 2.0], [True, False], [3, 3]), "at least two folds"),
        (lambda: folded_accuracy([1.0, 2.0], [True, False], [3]), r"fold must be one a pair, 2, not of shape \(1,\)"),
        (
            lambda: folded_accuracy([1.0, 2.0, 3.0], [True, False, True], [0, 0, 1]),
            "out of fold 0, which its threshold comes from, must be of both kinds; 1 of 1",
        ),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
