"""Whether two images show the same: thresholds on the distance of a pair, and what they get right.

A pair is taken for the same where its distance is at most the threshold.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from drumlin.metrics.detection import RocCurve, auroc, eer, roc_curve, tpr_at_fpr

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def best_threshold(distances: npt.ArrayLike, same: npt.ArrayLike) -> float:
    """Return the threshold that gets most of the pairs right, of all there are.

    It lies half-way between two distances that follow one another; where several get as many right it is the smallest. −∞, nothing is
    the same, and ∞, everything is, count among them.

    Args:
        distances: (P,), finite.
        same: (P,) booleans.

    Raises:
        ValueError: arrays that do not fit each other, distances that are not finite, or pairs all of one kind (so for every function
            here).

    >>> best_threshold([1.0, 2.0, 4.0, 5.0], [True, True, False, True])
    3.0
    """
    d, s = _pairs(distances, same)
    order = np.argsort(d, kind="stable")
    d, s = d[order], s[order]
    # right[i]: with the i nearest taken for the same. A cut inside a run of equal distances is none.
    right = np.concatenate([[0], np.cumsum(s)]) + np.concatenate([np.cumsum(~s[::-1])[::-1], [0]])
    cut = np.concatenate([[True], d[1:] > d[:-1], [True]])
    best = int(np.where(cut, right, -1).argmax())
    if best == 0:
        return -np.inf
    if best == len(d):
        return np.inf
    below, above = d[best - 1], d[best]
    half = below + (above - below) / 2
    return float(half if half < above else below)  # between neighbouring floats there is nothing


def count_right(distances: npt.ArrayLike, same: npt.ArrayLike, threshold: float) -> int:
    """Return how many of the pairs a threshold gets right.

    >>> count_right([1.0, 2.0, 4.0, 5.0], [True, True, False, True], 3.0)
    3
    """
    d, s = _pairs(distances, same)
    return int(((d <= threshold) == s).sum())


class FoldedAccuracy(NamedTuple):
    """Accuracy over folds: `mean`, `standard_error` = sd/√F with F − 1 below the sum of squares, and both parts (F,) by fold."""

    mean: float
    standard_error: float
    accuracies: Array
    thresholds: Array


def folded_accuracy(distances: npt.ArrayLike, same: npt.ArrayLike, fold: npt.ArrayLike) -> FoldedAccuracy:
    """Return the accuracy on each fold at the best threshold of all others.

    Args:
        distances: (P,), finite.
        same: (P,) booleans.
        fold: (P,) integers, two folds or more; LFW's View 2 has ten.

    Raises:
        ValueError: also one fold alone, or pairs all of one kind but for one fold.

    Source: Huang et al., Labeled Faces in the Wild, 2007, View 2.

    >>> folded_accuracy([1.0, 2.0, 1.0, 9.0], [True, False, True, False], [0, 0, 1, 1]).accuracies.tolist()
    [0.5, 1.0]
    """
    d, s = _pairs(distances, same)
    f = np.asarray(fold)
    if f.shape != d.shape:
        raise ValueError(f"fold must be one a pair, {len(d)}, not of shape {f.shape}")
    folds = np.unique(f)
    if len(folds) < 2:
        raise ValueError("fold must have at least two folds: the threshold for one comes from the others")
    for one in folds:
        _require_both(s[f != one], f"pairs out of fold {one}, which its threshold comes from,")
    thresholds = np.array([best_threshold(d[f != one], s[f != one]) for one in folds])
    accuracies = np.array(
        [((d[f == one] <= t) == s[f == one]).mean() for one, t in zip(folds, thresholds, strict=True)]
    )
    # Of equal numbers the deviation is 0, which rounding of their mean would hide.
    error = float(accuracies.std(ddof=1) / np.sqrt(len(folds))) if np.ptp(accuracies) else 0.0
    return FoldedAccuracy(float(accuracies.mean()), error, accuracies, thresholds)


def roc(distances: npt.ArrayLike, same: npt.ArrayLike) -> RocCurve:
    """Return the points of the ROC curve: pairs of the same as positives, found by small distances; thresholds are negated distances.

    >>> roc([1.0, 2.0], [True, False]).tpr.tolist()
    [0.0, 1.0, 1.0]
    """
    return roc_curve(*_scores(distances, same))


def verification_metrics(distances: npt.ArrayLike, same: npt.ArrayLike) -> dict[str, float]:
    """Return what needs no threshold: area under the ROC curve, equal error rate, and TPR at FPR 1% and 0.1%.

    Pairs of the same are the positives. A TPR is NaN where FPR times the different pairs is less than one: with six of them an FPR of
    0.1% would mean none at all.

    >>> verification_metrics([1.0, 2.0, 3.0, 4.0], [True, False, True, False])["auroc"]
    0.75
    """
    different, alike = _scores(distances, same)
    rates = {
        f"tpr@fpr={fpr:g}": tpr_at_fpr(different, alike, fpr) if len(different) >= 1 / fpr else math.nan
        for fpr in (0.01, 0.001)
    }
    return {"auroc": auroc(different, alike), "equal-error-rate": eer(different, alike), **rates}


def _scores(distances: npt.ArrayLike, same: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the nearness of different pairs and of pairs of the same, as `detection` wants negatives and positives."""
    d, s = _pairs(distances, same)
    return -d[~s], -d[s]


def _pairs(distances: npt.ArrayLike, same: npt.ArrayLike) -> tuple[Array, Flags]:
    d, s = np.asarray(distances, dtype=np.float64), np.asarray(same)
    if d.ndim != 1 or s.shape != d.shape or s.dtype != np.bool_:
        raise ValueError(
            f"distances and same must be numbers and booleans (P,), not of shapes {d.shape} and {s.shape}, {s.dtype}"
        )
    bad = int((~np.isfinite(d)).sum())
    if bad:
        raise ValueError(f"distances must be finite; {bad} of {len(d)} are not")
    _require_both(s, "pairs")
    return d, s


def _require_both(same: Flags, which: str) -> None:
    if not same.any() or same.all():
        alike = int(same.sum())
        raise ValueError(
            f"{which} must be of both kinds; {alike} of {len(same)} are of the same, {len(same) - alike} of different"
        )
