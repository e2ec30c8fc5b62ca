"""Panels of losses themselves: a function of one number, and areas of a plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from drumlin.report.contents import Array
from drumlin.report.figures.base import MPL_DASHES, plain
from drumlin.report.figures.panels import Panel
from drumlin.report.palette import CLASSES, light

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_DASHES = tuple(MPL_DASHES.values())


@dataclass(frozen=True, eq=False)
class FunctionPanel(Panel):
    """Curves over one axis.

    Attributes:
        x: (n,) places.
        curves: name → (n,) values.
        labels: of both axes.
    """

    x: Array
    curves: Mapping[str, Array]
    labels: tuple[str, str]

    def draw(self, axes: Axes) -> None:
        """Draw the curves over the whole range of places."""
        for i, values in enumerate(self.curves.values()):
            axes.plot(self.x, values, **_look(i))
        axes.set(xlim=(self.x[0], self.x[-1]), box_aspect=1)
        axes.set_xlabel(plain(self.labels[0]), fontsize=7)
        axes.set_ylabel(plain(self.labels[1]), fontsize=7, labelpad=1)
        axes.grid(color=light("rule"), linewidth=0.5)

    def handles(self) -> list[Artist]:
        """Return a line a curve."""
        from matplotlib.lines import Line2D

        return [Line2D([], [], label=plain(name), **_look(i)) for i, name in enumerate(self.curves)]


@dataclass(frozen=True, eq=False)
class RegionPanel(Panel):
    """Areas of a square of the plane, one a class, and the classes' means.

    Attributes:
        side: (s,) coordinates of the grid, the same along both axes.
        regions: (k, s, s) whether a point, at row y and column x, belongs to a class's area.
        means: (k, 2).
    """

    side: Array
    regions: npt.NDArray[np.bool_]
    means: npt.NDArray[np.floating[Any]]

    def draw(self, axes: Axes) -> None:
        """Fill the areas, and mark the means."""
        for k, (inside, mean) in enumerate(zip(self.regions, self.means, strict=True)):
            axes.contourf(
                self.side, self.side, inside.astype(float), levels=[0.5, 1.5], colors=[CLASSES[k]], alpha=0.35
            )
            axes.plot(*mean, "x", color=CLASSES[k], ms=6, mew=1.6)
        low, high = float(self.side[0]), float(self.side[-1])
        axes.set(xlim=(low, high), ylim=(low, high), box_aspect=1)
        axes.set_xlabel("z₁, feature units", fontsize=7)
        axes.set_ylabel("z₂, feature units", fontsize=7, labelpad=1)

    def handles(self) -> list[Artist]:
        """Return a patch a class."""
        from matplotlib.patches import Patch

        return [Patch(color=CLASSES[k], alpha=0.35, label=f"class {k}") for k in range(len(self.means))]


def _look(i: int) -> dict[str, Any]:
    return {"color": CLASSES[i % len(CLASSES)], "ls": _DASHES[i % len(_DASHES)], "linewidth": 1.2}
