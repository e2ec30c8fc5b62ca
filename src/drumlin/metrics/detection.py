"""How well a score tells anomalies from normal samples.

Everywhere a larger score means more anomalous and, unless said otherwise, the anomalies are the positives. A threshold
refuses the scores at or above it. Tied scores are refused together, so no metric depends on the order of the samples.
Infinite scores have a rank like any other; NaN has none and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from drumlin.metrics.counts import Array, Counts, ranked

# Shares are not exact in binary: 0.07 * 100 is above 7, but must ask for 7 samples of 100, not for 8.
_ROUNDING = 1e-9


def _auroc(counts: Counts) -> float:
    false, true = counts.cumulative()
    area = np.sum(counts.negative * (true[1:] + true[:-1])) / 2
    return float(area / (false[-1] * true[-1]))


def _average_precision(counts: Counts) -> float:
    false, true = (values[1:] for values in counts.cumulative())
    precision = true / np.maximum(false + true, 1)
    return float(np.sum(counts.positive * precision) / true[-1])


def _average_precision_in(counts: Counts) -> float:
    return _average_precision(counts.swapped())


def _fpr_at_tpr(counts: Counts, tpr: float = 0.95) -> float:
    false, true = counts.cumulative()
    first = np.searchsorted(true, tpr * true[-1] - _ROUNDING)
    return float(false[first] / false[-1])


def _tpr_at_fpr(counts: Counts, fpr: float) -> float:
    false, true = counts.cumulative()
    last = np.searchsorted(false, fpr * false[-1] + _ROUNDING, side="right") - 1
    return float(true[last] / true[-1])


def _tpr_at_fpr1(counts: Counts) -> float:
    return _tpr_at_fpr(counts, 0.01)


def _tpr_at_fpr5(counts: Counts) -> float:
    return _tpr_at_fpr(counts, 0.05)


def _eer(counts: Counts) -> float:
    false, true = counts.cumulative()
    fpr, fnr = false / false[-1], 1 - true / true[-1]
    difference = fpr - fnr  # rises from -1 to 1
    after = int(np.searchsorted(difference, 0))
    share = -difference[after - 1] / (difference[after] - difference[after - 1])
    return float(fpr[after - 1] + share * (fpr[after] - fpr[after - 1]))


METRICS: dict[str, Callable[[Counts], float]] = {
    "auroc": _auroc,
    "aupr_out": _average_precision,
    "aupr_in": _average_precision_in,
    "fpr95": _fpr_at_tpr,
    "eer": _eer,
    "tpr_at_fpr1": _tpr_at_fpr1,
    "tpr_at_fpr5": _tpr_at_fpr5,
}
"""Name in records → metric. fpr95 is FPR at 95% TPR with the anomalies as positives."""


def auroc(negative: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Area under the ROC curve: P(anomalous score > normal score) + ½·P(equal).

    Args:
        negative: (n,) scores of normal samples.
        positive: (m,) scores of anomalies.

    Returns:
        A share in [0, 1]; 0.5 for a score that knows nothing.

    Raises:
        ValueError: an argument is empty, not of one dimension, or has NaN in it (so for every function here).

    >>> auroc([0, 1, 2], [1, 3])
    0.75
    """
    return _auroc(Counts.of(negative, positive))


def aupr_out(negative: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Average precision with the anomalies as positives: Σ_i (R_i − R_{i−1})·P_i over falling thresholds.

    It depends on the share of anomalies among the samples; precision is not interpolated.

    >>> aupr_out([0, 2], [1, 3])
    0.8333333333333333
    """
    return _average_precision(Counts.of(negative, positive))


def aupr_in(negative: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Average precision with the normal samples as positives, found by small scores.

    >>> aupr_in([0, 2], [1, 3])
    0.8333333333333333
    """
    return _average_precision_in(Counts.of(negative, positive))


def fpr_at_tpr(negative: npt.ArrayLike, positive: npt.ArrayLike, tpr: float = 0.95) -> float:
    """Share of normal samples refused at the highest threshold that refuses at least `tpr` of the anomalies.

    Anomalies are the positives. Other authors take the normal samples as positives, which is another number.

    Raises:
        ValueError: `tpr` is not in (0, 1].

    >>> fpr_at_tpr([0, 1, 2, 3], [2, 4], tpr=1.0)
    0.5
    """
    _check_share("tpr", tpr)
    return _fpr_at_tpr(Counts.of(negative, positive), tpr)


def tpr_at_fpr(negative: npt.ArrayLike, positive: npt.ArrayLike, fpr: float = 0.01) -> float:
    """Share of anomalies refused at the lowest threshold that refuses at most `fpr` of the normal samples.

    Raises:
        ValueError: `fpr` is not in (0, 1].

    >>> tpr_at_fpr([0, 1, 2, 3], [2, 4], fpr=0.25)
    0.5
    """
    _check_share("fpr", fpr)
    return _tpr_at_fpr(Counts.of(negative, positive), fpr)


def eer(negative: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Equal error rate: where the ROC curve, drawn with straight lines, has FPR = 1 − TPR.

    >>> eer([0, 1, 2, 3], [2, 4, 5, 6])
    0.25
    """
    return _eer(Counts.of(negative, positive))


class RocCurve(NamedTuple):
    """Points of a ROC curve, from (0, 0) to (1, 1); each (p,).

    `threshold` refuses the scores at or above it; that of the first point, which refuses nothing, is NaN.
    """

    fpr: Array
    tpr: Array
    threshold: Array


def roc_curve(negative: npt.ArrayLike, positive: npt.ArrayLike) -> RocCurve:
    """Return the points of the ROC curve at every distinct score, anomalies as positives.

    >>> fpr, tpr, threshold = roc_curve([0, 1], [1, 2])
    >>> fpr.tolist(), tpr.tolist(), threshold.tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0], [nan, 2.0, 1.0, 0.0])
    """
    counts, _, _, scores = ranked(negative, positive)
    false, true = counts.cumulative()
    return RocCurve(false / false[-1], true / true[-1], np.concatenate([[math.nan], scores]))


def detection_metrics(negative: npt.ArrayLike, positive: npt.ArrayLike) -> dict[str, float]:
    """Return every metric of `METRICS` by name.

    >>> detection_metrics([0, 1], [2, 3])["auroc"]
    1.0
    """
    counts = Counts.of(negative, positive)
    return {name: metric(counts) for name, metric in METRICS.items()}


def _check_share(name: str, share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"{name} must be in (0, 1], not {share}")
