"""Intervals for rates: of errors, and of the false alarms of a calibrated refusal."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from scipy.special import stdtrit


def wilson(count: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a rate of which `count` of `n` were observed: all p with |p̂ − p| ≤ q·√(p(1 − p)/n).

    Args:
        count: errors, in [0, n].
        n: samples.
        level: coverage, in (0, 1); q is the normal quantile of (1 + level)/2.

    Returns:
        (low, high), shares in [0, 1].

    Raises:
        ValueError: an argument out of its range.

    Source: Wilson 1927; Brown, Cai, DasGupta 2001, eq. 4.

    >>> [round(end, 4) for end in wilson(0, 10)]
    [0.0, 0.2775]
    """
    _check_level(level)
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    if not 0 <= count <= n:
        raise ValueError(f"count must be in [0, n] = [0, {n}], not {count}")
    q2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    centre = (count + q2 / 2) / (n + q2)
    half = math.sqrt(q2 * (count * (n - count) / n + q2 / 4)) / (n + q2)
    # At the ends the formula gives 0 and 1 but for rounding.
    return (0.0 if count == 0 else centre - half), (1.0 if count == n else centre + half)


def student(mean: float, standard_error: float, n: int, *, level: float = 0.95) -> tuple[float, float] | None:
    """Student's interval for a mean of n values: mean ± t·SE, t the quantile of (1 + level)/2 with n − 1 degrees of freedom.

    Args:
        mean, standard_error: of the values; the error is their sd/√n, with n − 1 below the sum of squares.
        n: values, at least 2.
        level: coverage, in (0, 1).

    Returns:
        (low, high), or None where the error is 0: values that all agree do not say how far others may lie.

    Raises:
        ValueError: an argument out of its range.

    Source: Student 1908, "The probable error of a mean".

    >>> [round(end, 3) for end in student(0.9, 0.01, 10)]
    [0.877, 0.923]
    """
    _check_level(level)
    if n < 2:
        raise ValueError(f"n must be at least 2, not {n}")
    if not standard_error >= 0:
        raise ValueError(f"standard_error must be at least 0, not {standard_error}")
    if standard_error == 0:
        return None
    half = float(stdtrit(n - 1, (1 + level) / 2)) * standard_error
    return mean - half, mean + half


def refused_ranks(n: int, a: float) -> int:
    """Return how many of the n + 1 ranks of a fresh score are refused at false-alarm rate `a`: the largest l, l/(n + 1) ≤ a.

    That is ⌊a(n + 1)⌋, but in the very floating-point numbers in which a p-value k/(n + 1) is compared with a:
    0.29 · 100 is below 29, and yet 29/100 ≤ 0.29.

    Args:
        n: calibration scores, at least 1.
        a: false-alarm rate, in (0, 1).

    Raises:
        ValueError: an argument out of its range.

    >>> refused_ranks(99, 0.29), refused_ranks(98, 0.01)
    (29, 0)
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    if not 0 < a < 1:
        raise ValueError(f"a, the false-alarm rate, must be in (0, 1), not {a}")
    ranks = math.floor(a * (n + 1)) + 1
    while ranks / (n + 1) > a:
        ranks -= 1
    return ranks


def false_alarm_interval(n: int, m: int, a: float, *, level: float = 0.95) -> tuple[float, float]:
    """Central interval for the rate of false alarms on `m` fresh samples, given one calibration set of `n` scores.

    Under split conformal, p = (1 + #{s_i ≥ s})/(n + 1) and refusal if p ≤ a, a normal s is refused if it is above the
    l-th largest of the s_i, l = ⌊a(n + 1)⌋. For exchangeable scores without ties the probability of that is Beta(l, n +
    1 − l) over calibration sets, so the number of alarms is beta-binomial(m, l, n + 1 − l). With ties there are fewer
    alarms.

    Args:
        n: calibration scores; at least ⌈1/a⌉ − 1.
        m: fresh normal samples.
        a: false-alarm rate asked for, in (0, 1).
        level: coverage, in (0, 1), or a little above: the number of alarms is whole.

    Returns:
        (low, high), shares of `m`.

    Raises:
        ValueError: an argument out of its range; n too small to refuse anything, with the n needed.

    Source: Vovk 2012, "Conditional Validity of Inductive Conformal Predictors", Proposition 2a.

    >>> false_alarm_interval(1000, 2000, 0.01)
    (0.0035, 0.0185)
    """
    _check_level(level)
    if m < 1:
        raise ValueError(f"m must be at least 1, not {m}")
    ranks = refused_ranks(n, a)
    if ranks == 0:
        raise ValueError(
            f"n = {n} calibration scores can never refuse at a false-alarm rate of {a}: it takes {math.ceil(1 / a) - 1}"
        )
    # The logarithms of the ratios of successive probabilities, summed: no gamma functions, no overflow.
    k = np.arange(m, dtype=np.float64)
    ratios = np.log((m - k) / (k + 1)) + np.log((k + ranks) / (m - k + n - ranks))
    logs = np.concatenate([[0.0], np.cumsum(ratios)])
    cumulative = np.cumsum(np.exp(logs - logs.max()))
    cumulative /= cumulative[-1]
    low, high = np.searchsorted(cumulative, [(1 - level) / 2, (1 + level) / 2])
    return float(low / m), float(high / m)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), not {level}")
