"""What a false-alarm rate buys: catches against the rate that is asked for, with the calibrated point marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from drumlin.report.contents import TEST, Array, RunContents
from drumlin.report.figures.base import (
    MPL_DASHES,
    Figure,
    axis,
    escaped,
    in_percent,
    legend_below,
    plain,
    threshold_line,
    vertical,
)
from drumlin.report.palette import Style, Token, light
from drumlin.report.text import listing, percent, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class TradeOff(Figure):
    """Share of each set that is refused, by the false-alarm rate asked for.

    Attributes:
        asked: (p,) rates, ascending.
        refused: set → (p,) share of it that is refused; "test" has the false alarms.
        calibrated: the rate that the run is calibrated to.
        point: set → share refused at that rate.
    """

    name: ClassVar[str] = "trade-off"
    asked: Array
    refused: Mapping[str, Array]
    calibrated: float
    point: Mapping[str, float]
    styles: Mapping[str, Style]

    @classmethod
    def of(cls, run: RunContents, styles: Mapping[str, Style]) -> TradeOff | None:
        """Return the trade-off of the calibrated detector; None if there is none, or it has no scores."""
        calibration, scores = run.calibration, run.calibrated_scores
        if calibration is None or not scores:
            return None
        # below 1/(n + 1) nothing is ever refused
        least = 1 / (len(calibration.scores) + 1)
        asked = np.unique(np.append(np.geomspace(least, 1, 120), calibration.false_alarm))
        p_values = {name: calibration.p_values(scores[name]) for name in (TEST, *run.anomalies) if name in scores}
        # rounding: a rate on the grid may miss the p-value it equals
        refused = {name: (p[None] <= asked[:, None] + 1e-12).mean(1) for name, p in p_values.items() if len(p)}
        point = {name: float((p <= calibration.false_alarm).mean()) for name, p in p_values.items() if len(p)}
        return cls(asked, refused, calibration.false_alarm, point, styles)

    @property
    def alt(self) -> str:
        """See `Figure`."""
        points = listing([f"{percent(share)} of {name}" for name, share in self.point.items()])
        return f"Share refused by the false-alarm rate asked for; at {percent(self.calibrated)} it refuses {points}."

    @property
    def caption(self) -> str:
        """See `Figure`."""
        return (
            "What other false-alarm rates would buy. Dots mark what the run is calibrated to. The thin dashed curve is the rate "
            "itself: the closer the test images stay to it, the better calibration keeps its promise."
        )

    def _label(self, name: str) -> str:
        return "test (false alarms)" if name == TEST else shortened(name)

    def traces(self) -> list[dict[str, Any]]:
        """See `Figure`."""
        rates = self.asked.round(6).tolist()
        promise = {"x": rates, "y": rates, "line": {"color": Token("muted"), "width": 1, "dash": "dash"}}
        traces: list[dict[str, Any]] = [
            {"type": "scatter", "mode": "lines", "showlegend": False, "hoverinfo": "skip"} | promise
        ]
        for name, shares in self.refused.items():
            style = self.styles[name]
            colour = Token(style.colour)
            common = {"type": "scatter", "legendgroup": escaped(name)}
            hover = "asked for %{x:.2~%}: %{y:.1%} refused"
            traces += [
                common
                | {
                    "mode": "lines",
                    "name": escaped(self._label(name)),
                    "x": rates,
                    "y": shares.round(5).tolist(),
                    "line": {"color": colour, "width": 2, "dash": style.dash},
                    "hovertemplate": hover,
                },
                common
                | {
                    "mode": "markers",
                    "name": escaped(self._label(name)),
                    "showlegend": False,
                    "x": [self.calibrated],
                    "y": [self.point[name]],
                    "marker": {"color": colour, "size": 10, "line": {"color": Token("paper"), "width": 1.5}},
                    "hovertemplate": hover,
                },
            ]
        return traces

    def layout(self) -> dict[str, Any]:
        """See `Figure`."""
        return {
            "xaxis": axis("false alarms asked for", type="log", tickformat="~%", dtick=1),
            "yaxis": axis("refused", tickformat=".0%", range=[-0.02, 1.03]),
            **_marked(self.calibrated),
        }

    def draw(self, axes: Axes) -> None:
        """See `Figure`."""
        axes.plot(self.asked, self.asked, color=light("muted"), ls="--", lw=0.8)
        for name, shares in self.refused.items():
            style = self.styles[name]
            colour = light(style.colour)
            axes.plot(
                self.asked, shares, ls=MPL_DASHES[style.dash], lw=1.5, label=plain(self._label(name)), color=colour
            )
            axes.plot(self.calibrated, self.point[name], "o", ms=5, color=colour)
        threshold_line(axes, self.calibrated, "calibrated")
        axes.set(xscale="log", xlabel="false alarms asked for", ylabel="refused")
        in_percent(axes.xaxis)
        in_percent(axes.yaxis)
        legend_below(axes, len(self.refused))


def _marked(rate: float) -> dict[str, Any]:
    parts = vertical(rate, "calibrated")
    # plotly takes a shape's place on a logarithmic axis as it is, an annotation's as its logarithm
    parts["annotations"][0]["x"] = float(np.log10(rate))
    return parts
