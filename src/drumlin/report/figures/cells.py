"""A percentage of many detectors on many kinds of anomalies, a block a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drumlin.report.figures.base import plain
from drumlin.report.palette import light

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_CELL, _ROW, _MARGIN, _TITLE = 0.42, 0.2, 1.9, 0.3
_ABREAST = 2
"""More blocks than these stand in rows below one another."""


@dataclass(frozen=True, eq=False)
class CellFigure:
    """A cell a number, coloured from 0 over 50 to 100, which is best.

    Attributes:
        name: of the files.
        cells: (model, detector, anomaly) → percentage, None where there is none; blocks, rows and columns come in the order
            in which they are first named.
        what: what the numbers are, e.g. "AUROC".
        caption: what is to be seen.
    """

    name: str
    cells: Mapping[tuple[str, str, str], float | None]
    what: str
    caption: str

    @property
    def models(self) -> list[str]:
        """A block each."""
        return list(dict.fromkeys(model for model, _, _ in self.cells))

    @property
    def detectors(self) -> list[str]:
        """A row each."""
        return list(dict.fromkeys(detector for _, detector, _ in self.cells))

    @property
    def anomalies(self) -> list[str]:
        """A column each."""
        return list(dict.fromkeys(anomaly for _, _, anomaly in self.cells))

    @property
    def width(self) -> float:
        """Of the file, in inches."""
        return _MARGIN + (_CELL * len(self.anomalies) + 0.2) * self._grid[1]

    @property
    def height(self) -> float:
        """Of the file, in inches."""
        return _MARGIN + (_ROW * len(self.detectors) + _TITLE) * self._grid[0]

    @property
    def _grid(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        columns = min(_ABREAST, len(self.models))
        return math.ceil(len(self.models) / columns), columns

    @property
    def alt(self) -> str:
        """What it shows, in words."""
        return f"{self.what} of {len(self.detectors)} detectors on {', '.join(self.models)} against {', '.join(self.anomalies)}."

    def save_to(self, canvas: Canvas) -> None:
        """Draw onto an empty matplotlib figure."""
        places = canvas.subplots(*self._grid, squeeze=False, sharex=True, sharey=True)
        blocks = places.flat
        for model in self.models:
            self._draw(next(blocks), model)
        for axes in blocks:
            axes.set_axis_off()
        for axes in places[:, 0]:
            axes.set_yticks(range(len(self.detectors)), self.detectors, fontsize=7)

    def _draw(self, axes: Axes, model: str) -> None:
        values = np.array(
            [
                [np.nan if (v := self.cells.get((model, d, a))) is None else v for a in self.anomalies]
                for d in self.detectors
            ]
        )
        axes.imshow(values, vmin=0, vmax=100, cmap="RdYlBu", aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            text = "–" if np.isnan(value) else f"{value:.0f}"
            colour = light("muted") if np.isnan(value) else "black" if 15 < value < 90 else "white"
            axes.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
        axes.set_title(plain(model), fontsize=9)
        axes.set_xticks(range(len(self.anomalies)), map(plain, self.anomalies), rotation=60, ha="right", fontsize=7)
        axes.tick_params(length=0)
