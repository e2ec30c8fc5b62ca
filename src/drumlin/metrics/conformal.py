"""p-values of split conformal refusal: how many held-out scores are at least as strange."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def p_values(calibration: npt.ArrayLike, scores: npt.ArrayLike) -> Array:
    """Return p = (1 + #{s_i ≥ s})/(n + 1) of each score s among n held-out scores s_i.

    Args:
        calibration: (n,) held-out scores in ascending order, larger = more anomalous.
        scores: (m,) fresh ones. NaN counts as stranger than everything.

    Returns:
        (m,) in [1/(n + 1), 1]; if held-out and fresh scores are exchangeable, P(p ≤ a) ≤ a for every a.

    Raises:
        ValueError: held-out scores that are none, not of one dimension, not in ascending order, or have NaN among them.

    Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World, 2005; Bates et al., Testing for Outliers with
    Conformal p-values, Annals of Statistics 2023, eq. 2.

    >>> p_values([1, 2, 3], [0, 3, 4, float("nan")]).tolist()
    [1.0, 0.5, 0.25, 0.25]
    """
    held = np.asarray(calibration, dtype=np.float64)
    if held.ndim != 1 or not len(held):
        raise ValueError(f"calibration must be an array (n,) of at least one score, not of shape {held.shape}")
    if not (held[1:] >= held[:-1]).all() or np.isnan(held[0]):
        raise ValueError("calibration must be in ascending order and without NaN")
    values = np.asarray(scores, dtype=np.float64)
    # numpy sorts NaN after everything, +∞ included: no held-out score is at least as strange
    below = np.searchsorted(held, values)
    return (1.0 + len(held) - below) / (len(held) + 1)
