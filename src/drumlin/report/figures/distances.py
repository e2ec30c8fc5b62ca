"""How far apart the class means lie, against the distance at which the loss is least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from drumlin.report.contents import Array, RunContents
from drumlin.report.figures.base import Figure, axis, escaped, matrix_classes
from drumlin.report.figures.confusion import name_ticks
from drumlin.report.palette import Token, light
from drumlin.report.text import number, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 120


@dataclass(frozen=True, eq=False)
class Distances(Figure):
    """Distances between class means.

    Attributes:
        names: of the classes shown.
        matrix: (k, k) in feature units, the diagonal NaN.
        optimum: the distance of the optimum; None where the loss has none that is known.
        of_classes: how many classes there are in all.
        mean: over all pairs.
    """

    name: ClassVar[str] = "distances"
    width: ClassVar[float] = 4.6
    height: ClassVar[float] = 4.2
    pixels: ClassVar[int] = 420
    names: tuple[str, ...]
    matrix: Array
    optimum: float | None
    of_classes: int
    mean: float

    @classmethod
    def of(cls, run: RunContents) -> Distances | None:
        """Return the distances; None if there are none, or only one class."""
        if run.distances is None or len(run.distances) < 2 or not np.isfinite(run.distances).all():
            return None
        matrix = run.distances.copy()
        np.fill_diagonal(matrix, np.nan)
        chosen = matrix_classes((-np.nanmin(matrix, axis=1)).tolist(), _MOST)
        record = run.value(task="geometry", metric="mean-distance")
        optimum = record.published if record is not None else None
        names = tuple(run.class_names[k] for k in chosen)
        return cls(names, matrix[np.ix_(chosen, chosen)], optimum, len(matrix), float(np.nanmean(matrix)))

    @property
    def alt(self) -> str:
        """See `Figure`."""
        known = "" if self.optimum is None else f"; the optimum is {number(self.optimum)}"
        return f"Matrix of distances between {len(self.names)} class means, on average {number(self.mean)}{known}."

    @property
    def caption(self) -> str:
        """See `Figure`."""
        i, j = np.unravel_index(np.nanargmin(self.matrix), self.matrix.shape)
        text = f"Distances between the class means, on average {number(self.mean)} feature units. "
        if self.optimum is not None:
            text += (
                f"At the optimum of the loss every pair is {number(self.optimum)} apart: orange pairs are nearer, blue ones "
                "further. "
            )
        text += f"Nearest are {self.names[i]} and {self.names[j]}, {number(float(self.matrix[i, j]))} apart."
        if self.of_classes > len(self.names):
            text += f" Of {self.of_classes} classes the {len(self.names)} that are nearest to another are shown."
        return text

    def _range(self) -> tuple[float, float]:
        low, high = float(np.nanmin(self.matrix)), float(np.nanmax(self.matrix))
        if self.optimum is None:
            return 0.0, high
        # differences of less than a tenth are not blown up into contrasts
        reach = max(self.optimum - low, high - self.optimum, 0.1 * self.optimum)
        return max(0.0, self.optimum - reach), self.optimum + reach

    def _colours(self) -> list[tuple[float, str]]:
        """Return names of colours with their places in [0, 1]; the optimum has that of the ground."""
        if self.optimum is None:
            return [(0.0, "panel"), (1.0, "high")]
        low, high = self._range()
        return [(0.0, "low"), ((self.optimum - low) / (high - low), "panel"), (1.0, "high")]

    def traces(self) -> list[dict[str, Any]]:
        """See `Figure`."""
        ticks, names = list(range(len(self.names))), [escaped(name) for name in self.names]
        low, high = self._range()
        bar = {"thickness": 10, "len": 0.8, "outlinewidth": 0, "title": {"text": "feature units", "side": "right"}}
        z = [[None if np.isnan(v) else float(f"{v:.5g}") for v in row] for row in self.matrix]
        trace: dict[str, Any] = {
            "type": "heatmap",
            "x": ticks,
            "y": ticks,
            "z": z,
            "zmin": low,
            "zmax": high,
            "colorscale": [[place, Token(name)] for place, name in self._colours()],
            "colorbar": bar,
            "hoverongaps": False,
            "customdata": [[[a, b] for b in names] for a in names],
            "hovertemplate": "%{customdata[0]} to %{customdata[1]}: %{z:.4g}<extra></extra>",
        }
        return [trace | ({"xgap": 1, "ygap": 1} if len(ticks) <= 40 else {})]

    def layout(self) -> dict[str, Any]:
        """See `Figure`."""
        names = [escaped(shortened(name, 12)) for name in self.names]
        every = max(1, -(-len(names) // 25))
        ticks = {"tickmode": "array", "tickvals": list(range(len(names)))[::every], "ticktext": names[::every]}
        return {
            "xaxis": axis("class", showgrid=False, constrain="domain", **ticks),
            "yaxis": axis("class", showgrid=False, autorange="reversed", **ticks),
        }

    def draw(self, axes: Axes) -> None:
        """See `Figure`."""
        from matplotlib.colors import LinearSegmentedColormap

        low, high = self._range()
        colours = LinearSegmentedColormap.from_list(
            "distances", [(place, light(name)) for place, name in self._colours()]
        )
        image = axes.imshow(self.matrix, cmap=colours, vmin=low, vmax=high)
        axes.figure.colorbar(image, ax=axes, shrink=0.8).set_label("feature units")
        name_ticks(axes, self.names)
        axes.set(xlabel="class", ylabel="class")
