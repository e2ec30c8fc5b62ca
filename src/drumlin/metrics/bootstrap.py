"""How far detection metrics would vary with other test samples."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from drumlin._io import unknown
from drumlin.metrics.counts import Array, Counts, ranked
from drumlin.metrics.detection import METRICS


def bootstrap(
    negative: npt.ArrayLike,
    positive: npt.ArrayLike,
    *,
    metrics: Iterable[str] = tuple(METRICS),
    repeats: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Return percentile intervals of the metrics, normal samples and anomalies each drawn again with replacement.

    All metrics see the same draws. The intervals are those of the test samples: what another training would give is not
    in them.

    Args:
        negative: (n,) scores of normal samples.
        positive: (m,) scores of anomalies.
        metrics: names out of `METRICS`.
        repeats: draws.
        seed: of the draws.
        level: share of the draws inside the interval, in (0, 1).

    Returns:
        Name → (low, high).

    Raises:
        ValueError: an unknown metric, `repeats` below 1, `level` outside (0, 1), or scores that the metrics refuse.

    Source: Efron 1979, "Bootstrap Methods: Another Look at the Jackknife".

    >>> bootstrap([0, 1, 2], [3, 4], metrics=["auroc"])
    {'auroc': (1.0, 1.0)}
    """
    names = list(metrics)
    for name in names:
        if name not in METRICS:
            raise unknown("metric", name, METRICS)
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, not {repeats}")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), not {level}")
    counts, negative_ranks, positive_ranks, _ = ranked(negative, positive)
    random = np.random.default_rng(seed)
    values = np.empty((repeats, len(names)))
    for row in values:
        drawn = Counts(*(_draw(random, ranks, len(counts.negative)) for ranks in (negative_ranks, positive_ranks)))
        row[:] = [METRICS[name](drawn) for name in names]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}


def _draw(random: np.random.Generator, ranks: npt.NDArray[np.intp], distinct: int) -> Array:
    return np.bincount(random.choice(ranks, len(ranks)), minlength=distinct).astype(np.float64)
