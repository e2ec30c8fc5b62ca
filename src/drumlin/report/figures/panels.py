"""Figures of several maps side by side, as papers print them: a panel a model, each with its own scale and its test error."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from drumlin.report.contents import Array, Density, Integers
from drumlin.report.figures.base import plain
from drumlin.report.figures.feature_map import DENSITY_DEPTH, axis_titles
from drumlin.report.palette import CLASSES, light
from drumlin.report.text import shortened

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


@dataclass(frozen=True, eq=False)
class Panel(ABC):
    """One map. A subclass holds what is on it, and fills `draw`.

    Attributes:
        title: without its letter; may have several lines.
    """

    title: str
    beside: ClassVar[float] = 0.0
    """Inches that it takes on its right."""

    @abstractmethod
    def draw(self, axes: Axes) -> None:
        """Draw into matplotlib's axes."""

    def handles(self) -> list[Artist]:
        """Return what the legend of the whole figure explains; of things with the same label the first counts."""
        return []


@dataclass(frozen=True, eq=False)
class PointsPanel(Panel):
    """Points coloured by class, each class's name where it lies.

    Attributes:
        points: (n, 2).
        classes: (n,), of the first ten; further ones are drawn in grey.
        class_names: of the model.
        axes_titles: of both axes, with their units.
    """

    points: Array
    classes: Integers
    class_names: Sequence[str]
    axes_titles: tuple[str, str] = axis_titles("plane")

    def draw(self, axes: Axes) -> None:
        """Draw points and names."""
        colours = np.array([*CLASSES, light("muted")])[np.minimum(self.classes, len(CLASSES))]
        x, y = self.points.T
        axes.scatter(x, y, s=2.5, c=colours, linewidths=0, alpha=0.8, rasterized=True)
        for k in np.unique(self.classes[self.classes < len(CLASSES)]):
            place = _amid(self.points[self.classes == k])
            name = plain(shortened(self.class_names[k], 10))
            axes.text(*place, name, ha="center", va="center", fontsize=8, weight="bold", path_effects=_halo())
        _frame(axes, self.points, self.axes_titles)

    def handles(self) -> list[Artist]:
        """Return the colours of the classes."""
        from matplotlib.lines import Line2D

        names = zip(self.class_names, CLASSES, strict=False)
        return [
            Line2D([], [], ls="", marker="o", ms=4, color=colour, label=plain(shortened(name, 10)))
            for name, colour in names
        ]


@dataclass(frozen=True, eq=False)
class DensityPanel(Panel):
    """A heat map, brighter where features are likelier, with crosses on it.

    Attributes:
        density: logarithms on a grid.
        label: of the colours, with their unit.
        points: (n, 2), those that the area shown is chosen by.
        crosses: (m, 2).
    """

    density: Density
    label: str
    points: Array
    crosses: Array
    beside: ClassVar[float] = 0.6

    def draw(self, axes: Axes) -> None:
        """Draw the heat map, its scale and the crosses."""
        peak = float(self.density.log.max())
        least = peak - DENSITY_DEPTH
        log = np.maximum(self.density.log, least)
        heat = axes.pcolormesh(
            self.density.x,
            self.density.y,
            log,
            cmap="viridis",
            vmin=least,
            vmax=peak,
            shading="gouraud",
            rasterized=True,
        )
        axes.set_facecolor(heat.cmap(0.0))  # beyond the grid
        axes.plot(*self.crosses.T, "x", color="white", ms=3, mew=0.8, path_effects=_halo("black", 1.6))
        _frame(axes, self.points, axis_titles("plane"))
        scale = axes.inset_axes((1.03, 0, 0.05, 1))
        axes.figure.colorbar(heat, cax=scale, label=self.label, extend="min")
        scale.tick_params(labelsize=7)
        scale.yaxis.label.set_fontsize(7)


@dataclass(frozen=True, eq=False)
class EmptyPanel(Panel):
    """A place where there is nothing to draw, with the reason."""

    reason: str

    def draw(self, axes: Axes) -> None:
        """Write the reason."""
        axes.text(0.5, 0.5, plain(self.reason), ha="center", va="center", color=light("muted"))
        axes.set(xticks=[], yticks=[], box_aspect=1)


@dataclass(frozen=True, eq=False)
class PanelFigure:
    """Panels in rows, lettered, with one legend.

    Attributes:
        name: of the files.
        panels: row by row.
        columns: panels a row.
        caption: what is to be seen.
    """

    name: str
    panels: Sequence[Panel]
    columns: int
    caption: str

    side: ClassVar[float] = 2.6
    """Of a panel, in inches."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return -(-len(self.panels) // self.columns)

    @property
    def width(self) -> float:
        """Of the file, in inches."""
        return self.side * self.columns + max(panel.beside for panel in self.panels)

    @property
    def height(self) -> float:
        """Of the file, in inches."""
        return (self.side + 0.3) * self.rows + 0.3

    @property
    def alt(self) -> str:
        """What it shows, in words."""
        return "; ".join(f"({letter}) {panel.title}" for letter, panel in self._lettered()).replace("\n", ", ")

    def save_to(self, canvas: Canvas) -> None:
        """Draw onto an empty matplotlib figure."""
        places = list(canvas.subplots(self.rows, self.columns, squeeze=False).flat)
        for (letter, panel), axes in zip(self._lettered(), places, strict=False):
            axes.tick_params(labelsize=7)
            axes.set_title(plain(f"({letter}) {panel.title}"), fontsize=9)
            panel.draw(axes)
        for axes in places[len(self.panels) :]:
            axes.remove()
        handles = {artist.get_label(): artist for panel in self.panels[::-1] for artist in panel.handles()[::-1]}
        canvas.legend(
            handles=list(handles.values())[::-1],
            loc="outside lower center",
            ncols=max(1, len(handles)),
            frameon=False,
            fontsize=8,
            handletextpad=0.1,
            columnspacing=0.8,
        )

    def _lettered(self) -> list[tuple[str, Panel]]:
        return list(zip(ascii_lowercase, self.panels, strict=False))


def _amid(points: Array) -> tuple[float, float]:
    """Return the one of the points that is nearest to their median, which itself may lie among those of another class."""
    x, y = points[np.linalg.norm(points - np.median(points, axis=0), axis=1).argmin()]
    return float(x), float(y)


def _frame(axes: Axes, points: Array, titles: tuple[str, str]) -> None:
    """Show a square that leaves out but the outermost few in a thousand of the points."""
    low, high = np.quantile(points, [0.0025, 0.9975], axis=0)
    middle, half = (low + high) / 2, 0.56 * float((high - low).max()) + 1e-6
    across, up = ((float(m - half), float(m + half)) for m in middle)
    axes.set(xlim=across, ylim=up, box_aspect=1)
    axes.locator_params(nbins=5)
    axes.set_xlabel(titles[0], fontsize=7)
    axes.set_ylabel(titles[1], fontsize=7, labelpad=1)


def _halo(colour: str = "white", width: float = 1.5) -> list[object]:
    """Return an edge that sets marks and letters off from what lies beneath."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=colour)]
