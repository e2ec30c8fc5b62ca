"""Panels of numbers over the values of a setting: a curve a way of measuring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from drumlin.report.contents import Array
from drumlin.report.figures.base import in_percent, plain
from drumlin.report.figures.panels import Panel
from drumlin.report.palette import CLASSES, light

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_MARKS = "os^Dv"
_APART = 0.06
"""Of the distance of two values, by which the points of two curves are moved apart."""


@dataclass(frozen=True, eq=False)
class SensitivityPanel(Panel):
    """Fractions with their intervals, of models that differ in one setting, the values of which stand equally far apart.

    Attributes:
        values: of the setting, in the order of the points.
        curves: how it was measured → (n, 3) fraction, and lower and upper end of its interval; NaN where there is none.
        across: name of the setting.
        label: of the vertical axis.
    """

    values: Sequence[float]
    curves: Mapping[str, Array]
    across: str
    label: str

    def draw(self, axes: Axes) -> None:
        """Draw points, joined, with their intervals."""
        for i, numbers in enumerate(self.curves.values()):
            places = np.arange(len(self.values)) + _APART * (i - (len(self.curves) - 1) / 2)
            middle, low, high = numbers.T
            reach = np.maximum(np.stack([middle - low, high - middle]), 0)  # rounding may put an end on the wrong side
            axes.errorbar(places, middle, yerr=reach, elinewidth=0.8, capsize=2, **_look(i))
        axes.set(xlim=(-0.5, len(self.values) - 0.5), box_aspect=1)
        axes.set_xticks(range(len(self.values)), [f"{value:g}" for value in self.values])
        axes.set_xlabel(plain(self.across), fontsize=7)
        axes.set_ylabel(plain(self.label), fontsize=7, labelpad=1)
        axes.grid(color=light("rule"), linewidth=0.5)
        in_percent(axes.yaxis)

    def handles(self) -> list[Artist]:
        """Return a line a way of measuring."""
        from matplotlib.lines import Line2D

        return [Line2D([], [], label=plain(name), **_look(i)) for i, name in enumerate(self.curves)]


def _look(i: int) -> dict[str, Any]:
    return {"color": CLASSES[i % len(CLASSES)], "marker": _MARKS[i % len(_MARKS)], "ms": 3.5, "linewidth": 1.0}
