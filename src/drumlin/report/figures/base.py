"""What figures share: numbers computed once, drawn twice, by plotly on the page and by matplotlib into files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from drumlin.report.palette import Token, light
from drumlin.report.text import encodable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Canvas
    from matplotlib.legend import Legend


class Figure(ABC):
    """A figure of one run. A subclass holds its numbers, and fills `traces`, `layout` and `draw`."""

    name: ClassVar[str]
    """Of files and of the place on the page."""
    width: ClassVar[float] = 5.0
    """Of the file, in inches."""
    height: ClassVar[float] = 3.5
    """Of the file, in inches."""
    pixels: ClassVar[int] = 340
    """Height on the page."""

    @property
    @abstractmethod
    def alt(self) -> str:
        """What it shows, in words, for who cannot see it."""

    @property
    @abstractmethod
    def caption(self) -> str:
        """What to see in it."""

    @abstractmethod
    def traces(self) -> list[dict[str, Any]]:
        """Return plotly's traces."""

    @abstractmethod
    def layout(self) -> dict[str, Any]:
        """Return what plotly's layout has beside that of all figures."""

    @abstractmethod
    def draw(self, axes: Axes) -> None:
        """Draw into matplotlib's axes."""

    def plotly(self) -> dict[str, Any]:
        """Return the figure for the page; colours are names in the palette."""
        own = self.layout()
        layout: dict[str, Any] = {
            "height": self.pixels,
            "margin": {"l": 58, "r": 14, "t": 10, "b": 46},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "inherit", "size": 12, "color": Token("ink")},
            "hoverlabel": {"bgcolor": Token("panel"), "bordercolor": Token("rule"), "font": {"color": Token("ink")}},
            "legend": {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "font": {"size": 12}},
            "hovermode": "closest",
            "dragmode": False,  # a finger that drags scrolls the page
            **own,
        }
        for axis in ("xaxis", "yaxis"):
            layout[axis] = _AXIS | own.get(axis, {})
        return {"data": self.traces(), "layout": layout}

    def save_to(self, canvas: Canvas) -> None:
        """Draw onto an empty matplotlib figure."""
        axes = canvas.add_subplot()
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        self.draw(axes)


_AXIS: dict[str, Any] = {
    "gridcolor": Token("rule"),
    "linecolor": Token("rule"),
    "zeroline": False,
    "automargin": True,
    "ticks": "",
    "title": {"standoff": 8},
}


def axis(title: str, **others: Any) -> dict[str, Any]:
    """Return an axis of plotly with its title."""
    return {"title": {"text": title, "standoff": 8}, **others}


def escaped(text: str) -> str:
    """Return text that plotly shows as it is: its labels know a few tags of HTML, and `%{...}`.

    >>> escaped("<b>a</b>")
    '&lt;b&gt;a&lt;/b&gt;'
    """
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("%{", "%\u200b{")


def plain(text: str) -> str:
    """Return text that matplotlib shows as it is: a dollar sign would begin a formula."""
    return encodable(text).replace("$", r"\$")


MPL_DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (8, 3))}
"""plotly's lines in matplotlib."""


def legend_below(axes: Axes, entries: int) -> Legend:
    """Put a legend under the axes, and return it."""
    return axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=min(entries, 3), frameon=False, fontsize=8, handlelength=2
    )


def in_percent(axis: Axis) -> None:
    """Write the ticks of shares in percent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))


def threshold_line(axes: Axes, x: float, text: str) -> None:
    """Draw a vertical line with its meaning beside it."""
    axes.axvline(x, color=light("ink"), linewidth=1)
    axes.annotate(
        text,
        (x, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -2),
        textcoords="offset points",
        va="top",
        fontsize=8,
    )


def vertical(x: float, text: str) -> dict[str, Any]:
    """Return the part of plotly's layout that draws a vertical line with its meaning beside it."""
    line = {"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1}
    note = {"x": x, "xref": "x", "y": 1, "yref": "paper", "text": text, "showarrow": False}
    return {
        "shapes": [line | {"line": {"color": Token("ink"), "width": 1.2}}],
        "annotations": [note | {"xanchor": "left", "yanchor": "top", "xshift": 4, "font": {"size": 11}}],
    }


def matrix_classes(scores: Sequence[float], most: int) -> list[int]:
    """Return which classes a matrix shows: all, or the `most` with the highest scores, in their own order.

    >>> matrix_classes([0.0, 3.0, 1.0], 2)
    [1, 2]
    """
    if len(scores) <= most:
        return list(range(len(scores)))
    return sorted(sorted(range(len(scores)), key=lambda k: -scores[k])[:most])
