"""Panels of numbers over the steps of trainings: a curve a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drumlin.report.contents import Array
from drumlin.report.figures.base import MPL_DASHES, in_percent, plain
from drumlin.report.figures.panels import Panel
from drumlin.report.palette import CLASSES, light

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_DASHES = tuple(MPL_DASHES.values())


@dataclass(frozen=True, eq=False)
class ProgressPanel(Panel):
    """Numbers, such as errors, over the steps of several trainings.

    Attributes:
        curves: training → (steps (n,), numbers (n,)), NaN where there is none; trainings look alike in every panel that names
            them in the same order.
        label: of the vertical axis.
        fraction: whether they are fractions, of which the axis is in percent.
    """

    curves: Mapping[str, tuple[Array, Array]]
    label: str
    fraction: bool = True

    def draw(self, axes: Axes) -> None:
        """Draw the curves, from step 0 on; one of a single place is a dot."""
        for i, (steps, numbers) in enumerate(self.curves.values()):
            axes.plot(steps, numbers, marker="." if len(steps) == 1 else "", **_look(i))
        axes.set(xlim=(0, None), ylim=(0, None), box_aspect=1)
        axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel("step", fontsize=7)
        axes.set_ylabel(self.label, fontsize=7, labelpad=1)
        axes.grid(color=light("rule"), linewidth=0.5)
        if self.fraction:
            in_percent(axes.yaxis)

    def handles(self) -> list[Artist]:
        """Return a line a training."""
        from matplotlib.lines import Line2D

        return [Line2D([], [], label=plain(name), **_look(i)) for i, name in enumerate(self.curves)]


def _look(i: int) -> dict[str, Any]:
    return {"color": CLASSES[i % len(CLASSES)], "ls": _DASHES[i % len(_DASHES)], "linewidth": 1.2}
