import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drumlin.metrics.intervals import false_alarm_interval, refused_ranks, student, wilson


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(n, share, level):
    count = round(share * n)
    expected = stats.binomtest(count, n).proportion_ci(level, method="wilson")
    assert wilson(count, n, level=level) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.integers(2, 400), st.floats(0.01, 9), st.sampled_from([0.2, 0.9, 0.95, 0.999]))
def test_student_agrees_with_scipy(n, error, level):
    expected = stats.t.interval(level, n - 1, loc=0.5, scale=error)
    assert student(0.5, error, n, level=level) == pytest.approx(expected, rel=1e-9)


def test_student_covers_as_often_as_it_says():
    """Of three values each; ±1.96 standard errors would cover 81%."""
    values = np.random.default_rng(0).normal(size=(4000, 3))
    errors = values.std(1, ddof=1) / math.sqrt(3)
    covered = [student(m, e, 3) for m, e in zip(values.mean(1), errors, strict=True)]
    assert np.mean([low < 0 < high for low, high in covered]) == pytest.approx(0.95, abs=0.015)


def test_student_of_values_that_agree():
    assert student(1.0, 0.0, 3) is None


def test_refused_ranks_where_the_product_is_rounded_down():
    assert math.floor(0.29 * 100) == 28
    assert refused_ranks(99, 0.29) == 29


def test_wilson_stays_inside_the_unit_interval():
    assert wilson(0, 10_000)[0] == 0
    assert wilson(10_000, 10_000)[1] == 1
    assert 0 < wilson(0, 10_000)[1] < 1e-3


@given(st.integers(1, 2000), st.integers(1, 999))
def test_refused_ranks_are_those_whose_p_value_is_at_most_a(n, thousandths):
    a = thousandths / 1000
    assert refused_ranks(n, a) == sum(k / (n + 1) <= a for k in range(1, n + 2))


@given(st.integers(5, 3000), st.integers(1, 3000), st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.floats(0.2, 0.9))
def test_interval_agrees_with_scipys_beta_binomial(n, m, level, a):
    ranks = refused_ranks(n, a)
    alarms = stats.betabinom(m, ranks, n + 1 - ranks)
    low, high = (round(end * m) for end in false_alarm_interval(n, m, a, level=level))
    # Quantiles: the least k with cdf(k) >= q, up to rounding of the two sums.
    for k, q in ((low, (1 - level) / 2), (high, (1 + level) / 2)):
        assert alarms.cdf(k) >= q - 1e-7
        assert k == 0 or alarms.cdf(k - 1) < q + 1e-7


def test_small_rates_and_large_sets_keep_their_accuracy():
    low, high = false_alarm_interval(5000, 100_000, 0.01)
    assert (low * 1e5, high * 1e5) == pytest.approx(stats.betabinom(100_000, 50, 4951).ppf([0.025, 0.975]), abs=1)


@pytest.mark.parametrize(("n", "m", "a"), [(99, 200, 0.05), (200, 500, 0.01), (19, 50, 0.05)])
def test_interval_holds_the_false_alarms_of_split_conformal(n, m, a):
    random = np.random.default_rng(0)
    repeats = 4000
    calibration, fresh = np.sort(random.normal(size=(repeats, n))), random.normal(size=(repeats, m))
    at_least = np.stack([n - np.searchsorted(s, x) for s, x in zip(calibration, fresh, strict=True)])
    rates = ((1 + at_least) / (n + 1) <= a).mean(1)
    low, high = false_alarm_interval(n, m, a)
    inside = ((rates >= low) & (rates <= high)).mean()
    alarms = stats.betabinom(m, refused_ranks(n, a), n + 1 - refused_ranks(n, a))
    expected = alarms.cdf(round(high * m)) - (alarms.cdf(round(low * m) - 1))
    assert expected >= 0.95
    assert inside == pytest.approx(expected, abs=4 * math.sqrt(0.05 * 0.95 / repeats))
    assert rates.mean() == pytest.approx(refused_ranks(n, a) / (n + 1), rel=0.1)


def test_a_binomial_interval_would_be_too_narrow():
    low, high = false_alarm_interval(1000, 2000, 0.01)
    narrow = stats.binom(2000, 0.01).ppf([0.025, 0.975]) / 2000
    assert low < narrow[0]
    assert high > narrow[1]


def test_infinitely_many_calibration_scores_leave_the_binomial():
    low, high = false_alarm_interval(10**8 - 1, 500, 0.1)
    assert (low * 500, high * 500) == pytest.approx(stats.binom(500, 0.1).ppf([0.025, 0.975]), abs=1)


@given(st.floats(0.001, 0.9))
def test_the_number_needed_is_what_is_asked_for(a):
    needed = math.ceil(1 / a) - 1
    assert refused_ranks(needed, a) >= 1
    if needed > 1:
        with pytest.raises(ValueError, match=f"can never refuse at a false-alarm rate of {a}: it takes {needed}$"):
            false_alarm_interval(needed - 1, 10, a)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(1, 0), "n must be at least 1, not 0"),
        (lambda: wilson(3, 2), r"count must be in \[0, n\] = \[0, 2\], not 3"),
        (lambda: wilson(1, 2, level=95), r"level must be in \(0, 1\), not 95"),
        (lambda: refused_ranks(0, 0.1), "n must be at least 1, not 0"),
        (lambda: refused_ranks(10, 1.0), r"a, the false-alarm rate, must be in \(0, 1\), not 1.0"),
        (lambda: false_alarm_interval(100, 0, 0.1), "m must be at least 1, not 0"),
        (lambda: false_alarm_interval(100, 10, 0.1, level=1.0), r"level must be in \(0, 1\), not 1.0"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
