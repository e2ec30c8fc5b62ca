"""How honest class probabilities are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Probabilities rounded to bfloat16 sum to 1 only to about this.
_SUM_TOLERANCE = 1e-2


def ece(probabilities: npt.ArrayLike, labels: npt.ArrayLike, *, bins: int = 15) -> float:
    """Expected calibration error of the predicted class: Σ_b (n_b/n)·|accuracy_b − mean confidence_b|.

    Args:
        probabilities: (N, K), rows summing to 1.
        labels: (N,) integers in [0, K).
        bins: of equal width over the confidence, right edges included.

    Returns:
        A share in [0, 1]; it depends on the bins and is biased upwards for few samples.

    Raises:
        ValueError: arrays that do not fit each other, no probabilities, labels out of range, `bins` below 1.

    Source: Naeini et al. 2015; Guo et al. 2017, eq. 3.

    >>> ece([[0.75, 0.25], [0.75, 0.25]], [0, 1], bins=1)
    0.25
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    p, y = _check(probabilities, labels)
    confidence = p.max(1)
    correct = (p.argmax(1) == y).astype(np.float64)
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(index, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(y))


def brier(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Brier score: the mean over samples of Σ_k (p_k − 1[y = k])², in [0, 2].

    Args:
        probabilities: (N, K), rows summing to 1.
        labels: (N,) integers in [0, K).

    Raises:
        ValueError: as `ece`.

    Source: Brier 1950, eq. 2.

    >>> brier([[0.5, 0.5], [1.0, 0.0]], [0, 0])
    0.25
    """
    p, y = _check(probabilities, labels)
    target = np.zeros_like(p)
    target[np.arange(len(y)), y] = 1
    return float(np.square(p - target).sum(1).mean())


def nll(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Negative log-likelihood in nats: the mean of −log p_y; infinite if a true class has probability 0.

    Args:
        probabilities: (N, K), rows summing to 1.
        labels: (N,) integers in [0, K).

    Raises:
        ValueError: as `ece`.

    >>> round(nll([[0.5, 0.5], [1.0, 0.0]], [0, 0]), 4)
    0.3466
    """
    p, y = _check(probabilities, labels)
    with np.errstate(divide="ignore"):
        return float(-np.log(p[np.arange(len(y)), y]).mean())


def _check(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, npt.NDArray[np.int64]]:
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if p.ndim != 2 or not p.size:
        raise ValueError(f"probabilities must be an array (samples, classes), not of shape {p.shape}")
    if y.shape != p.shape[:1] or not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"labels must be {len(p)} integers, one a row of probabilities, not {y.dtype} {y.shape}")
    if y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(f"labels must be in [0, {p.shape[1]}), not in [{y.min()}, {y.max()}]")
    # Written so that NaN fails.
    if not (np.all((p >= 0) & (p <= 1 + _SUM_TOLERANCE)) and np.all(np.abs(p.sum(1) - 1) <= _SUM_TOLERANCE)):
        raise ValueError(
            "probabilities must be at least 0 and sum to 1 in each row; are these logits? take their softmax"
        )
    return p, y.astype(np.int64)
