"""Panels of the distances between class means: all of them as a matrix, and how they are spread about the optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from drumlin.report.contents import Array
from drumlin.report.figures.distances import Distances
from drumlin.report.figures.panels import Panel
from drumlin.report.palette import light

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_BINS = 20
_LEAST_SPAN = 0.1
_MEAN, _OPTIMUM = "mean of all pairs", "optimum of the loss"


@dataclass(frozen=True, eq=False)
class DistancesPanel(Panel):
    """The matrix of distances, coloured from the optimum.

    Attributes:
        distances: of one run.
    """

    distances: Distances
    beside: ClassVar[float] = 0.6

    def draw(self, axes: Axes) -> None:
        """Draw the matrix and its scale."""
        self.distances.draw(axes)


@dataclass(frozen=True, eq=False)
class DistanceHistogramPanel(Panel):
    """How many pairs of classes are how far apart, with their mean and the optimum.

    Attributes:
        pairs: (n,) distances in feature units, one a pair.
        optimum: None where the loss has none that is known.
    """

    pairs: Array
    optimum: float | None

    def draw(self, axes: Axes) -> None:
        """Draw bars, a dashed line at the mean and a solid one at the optimum."""
        low, high = self._span()
        axes.hist(self.pairs, np.linspace(low, high, _BINS + 1).tolist(), color=light("test"), alpha=0.5)
        for value, look in self._lines().values():
            axes.axvline(value, **look)
        axes.set(xlim=(low, high), box_aspect=1)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("distance of two means (feature units)", fontsize=7)
        axes.set_ylabel("pairs of classes", fontsize=7, labelpad=1)

    def handles(self) -> list[Artist]:
        """Return the lines."""
        from matplotlib.lines import Line2D

        return [Line2D([], [], label=label, **look) for label, (_, look) in self._lines().items()]

    def _lines(self) -> dict[str, tuple[float, dict[str, Any]]]:
        mean = {"color": light("ink"), "ls": "--", "linewidth": 1.2}
        optimum = {"color": light("set-3"), "ls": "-", "linewidth": 1.2}
        lines = {_MEAN: (float(self.pairs.mean()), mean)}
        return lines if self.optimum is None else lines | {_OPTIMUM: (self.optimum, optimum)}

    def _span(self) -> tuple[float, float]:
        """Return ends that hold all distances and the optimum, not nearer than a tenth of the mean: rounding is no spread."""
        known = [*self.pairs, *([] if self.optimum is None else [self.optimum])]
        low, high = float(min(known)), float(max(known))
        pad = max(0.05 * (high - low), (_LEAST_SPAN * float(self.pairs.mean()) - (high - low)) / 2, 1e-6)
        return low - pad, high + pad
