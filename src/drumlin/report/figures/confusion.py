"""Which class is taken for which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from drumlin.report.contents import Array, Integers, RunContents
from drumlin.report.figures.base import Figure, axis, escaped, in_percent, matrix_classes, plain
from drumlin.report.palette import Token, light
from drumlin.report.text import percent, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST, _NUMBERED = 120, 14


@dataclass(frozen=True)
class Pair:
    """A class, what it is taken for, how often, and the share of the class that is."""

    true: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True, eq=False)
class Confusion(Figure):
    """Errors by true and predicted class.

    Attributes:
        names: of the classes shown.
        counts: (k, k) of images, rows true.
        shares: (k, k) of the row's class.
        of_classes: how many classes there are in all.
    """

    name: ClassVar[str] = "confusion"
    width: ClassVar[float] = 4.6
    height: ClassVar[float] = 4.2
    pixels: ClassVar[int] = 420
    names: tuple[str, ...]
    counts: Integers
    shares: Array
    of_classes: int

    @classmethod
    def of(cls, run: RunContents) -> Confusion | None:
        """Return the confusion matrix; None if there is none, or only one class."""
        matrix = run.confusion
        if matrix is None or len(matrix) < 2:
            return None
        errors = matrix - np.diag(np.diag(matrix))
        chosen = matrix_classes((errors.sum(0) + errors.sum(1)).tolist(), _MOST)
        shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
        part = np.ix_(chosen, chosen)
        return cls(tuple(run.class_names[k] for k in chosen), matrix[part], shares[part], len(matrix))

    @property
    def alt(self) -> str:
        """See `Figure`."""
        worst = self.pairs(1)
        most = f"; most often {worst[0].true} for {worst[0].predicted}, {worst[0].count} times" if worst else ""
        return f"Confusion matrix of {len(self.names)} classes{most}."

    @property
    def caption(self) -> str:
        """See `Figure`."""
        text = (
            "Rows are true classes, columns what they are taken for. Only errors are coloured, by their share of the row; "
            "what is right, on the diagonal, is grey."
        )
        if self.of_classes > len(self.names):
            text += f" Of {self.of_classes} classes the {len(self.names)} with most errors are shown."
        return text

    def pairs(self, most: int) -> list[Pair]:
        """Return the most frequent errors."""
        errors = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-errors, axis=None, kind="stable")[:most]
        return [
            Pair(self.names[i], self.names[j], int(errors[i, j]), float(self.shares[i, j]))
            for i, j in zip(*np.unravel_index(order, errors.shape), strict=True)
            if errors[i, j]
        ]

    def _errors(self) -> Array:
        """Return shares of errors with what is no error as NaN: it is not coloured."""
        errors = np.where(np.eye(len(self.names), dtype=bool) | (self.counts == 0), np.nan, self.shares)
        return np.asarray(errors, dtype=np.float64)

    def traces(self) -> list[dict[str, Any]]:
        """See `Figure`."""
        ticks = list(range(len(self.names)))
        errors = self._errors()
        hover = "true %{customdata[0]}, taken for %{customdata[1]}: %{customdata[2]}<extra></extra>"
        about = [
            [
                [escaped(true), escaped(predicted), f"{self.counts[i, j]} ({percent(float(self.shares[i, j]))})"]
                for j, predicted in enumerate(self.names)
            ]
            for i, true in enumerate(self.names)
        ]
        common: dict[str, Any] = {
            "type": "heatmap",
            "x": ticks,
            "y": ticks,
            "customdata": about,
            "hovertemplate": hover,
        }
        if len(ticks) <= 40:
            common |= {"xgap": 1, "ygap": 1}
        numbers: dict[str, Any] = {}
        if len(ticks) <= _NUMBERED:
            numbers = {"text": np.where(np.isnan(errors), "", self.counts.astype(str)).tolist()}
            numbers |= {"texttemplate": "%{text}", "textfont": {"size": 11}}
        diagonal = np.where(np.eye(len(ticks), dtype=bool), 1.0, np.nan)
        grey, blank = [[0, Token("rule")], [1, Token("rule")]], [[0, Token("panel")], [1, Token("panel")]]
        heat = [[0, Token("panel")], [1, Token("set-1")]]
        scale = {
            "tickformat": "~%",
            "thickness": 10,
            "len": 0.8,
            "outlinewidth": 0,
            "title": {"text": "of the class", "side": "right"},
        }
        return [
            common
            | {"z": np.zeros_like(errors).tolist(), "colorscale": blank, "showscale": False, "hoverinfo": "skip"},
            common | {"z": _values(diagonal), "colorscale": grey, "showscale": False, "hoverongaps": False},
            common
            | numbers
            | {
                "z": _values(errors.round(5)),
                "colorscale": heat,
                "zmin": 0,
                "zmax": float(np.nanmax(errors)) if np.isfinite(errors).any() else 1.0,
                "colorbar": scale,
                "showscale": bool(np.isfinite(errors).any()),
                "hoverongaps": False,
            },
        ]

    def layout(self) -> dict[str, Any]:
        """See `Figure`."""
        names = [escaped(shortened(name, 12)) for name in self.names]
        every = max(1, -(-len(names) // 25))
        ticks = {"tickmode": "array", "tickvals": list(range(len(names)))[::every], "ticktext": names[::every]}
        return {
            "xaxis": axis("taken for", showgrid=False, constrain="domain", **ticks),
            "yaxis": axis("true class", showgrid=False, autorange="reversed", **ticks),
        }

    def draw(self, axes: Axes) -> None:
        """See `Figure`."""
        from matplotlib.colors import LinearSegmentedColormap

        errors, n = self._errors(), len(self.names)
        heat = LinearSegmentedColormap.from_list("errors", [light("panel"), light("set-1")])
        grey = np.where(np.eye(n, dtype=bool), 1.0, np.nan)
        axes.imshow(grey, cmap=LinearSegmentedColormap.from_list("grey", [light("rule")] * 2))
        if np.isfinite(errors).any():
            image = axes.imshow(errors, cmap=heat, vmin=0)
            bar = axes.figure.colorbar(image, ax=axes, shrink=0.8)
            bar.set_label("of the class")
            in_percent(bar.ax.yaxis)
        if n <= _NUMBERED:
            for i, j in np.argwhere(np.isfinite(errors)):
                axes.text(j, i, str(self.counts[i, j]), ha="center", va="center", fontsize=6)
        name_ticks(axes, self.names)
        axes.set(xlabel="taken for", ylabel="true class")


def name_ticks(axes: Axes, names: tuple[str, ...]) -> None:
    """Write the names of classes at both axes of a matrix, as many as fit."""
    every = max(1, -(-len(names) // 25))
    ticks, labels = range(0, len(names), every), [plain(shortened(name, 12)) for name in names[::every]]
    axes.set_xticks(ticks, labels, rotation=90 if max(map(len, labels)) > 2 else 0, fontsize=7)
    axes.set_yticks(ticks, labels, fontsize=7)


def _values(matrix: Array) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in matrix]
