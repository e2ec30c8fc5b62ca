"""How the scores of each set are spread, and where the threshold lies."""

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
from drumlin.report.text import listing, number, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST, _LEAST = 60, 20


@dataclass(frozen=True, eq=False)
class ScoreHistogram(Figure):
    """Shares of each set by score, on a logarithmic axis.

    Attributes:
        detector: whose scores.
        edges: (B + 1,) of the bins; the last bin holds everything above it, the first everything below.
        shares: set → (B,) share of its images in each bin.
        missing: set → how many scores are NaN, where any are.
        threshold: what exceeds it is refused; None where this detector is not the calibrated one.
    """

    name: ClassVar[str] = "scores"
    detector: str
    edges: Array
    shares: Mapping[str, Array]
    missing: Mapping[str, int]
    threshold: float | None
    styles: Mapping[str, Style]

    @classmethod
    def of(cls, run: RunContents, detector: str, styles: Mapping[str, Style]) -> ScoreHistogram | None:
        """Return the histogram of a detector's scores; None if there is no score that is a number."""
        sets = {name: run.scores[detector][name] for name in _ordered(run, detector)}
        finite = {name: scores[np.isfinite(scores)] for name, scores in sets.items()}
        held = [scores for scores in finite.values() if len(scores)]
        if not held:
            return None
        calibration = run.calibration
        threshold = calibration.threshold if calibration and calibration.detector == detector else None
        if threshold is not None and not np.isfinite(threshold):
            threshold = None
        low = min(float(np.quantile(scores, 0.001)) for scores in held)
        high = max(float(np.quantile(scores, 0.995)) for scores in held)
        if threshold is not None:
            low, high = min(low, threshold), max(high, threshold)
        pad = (high - low) * 0.02 or 0.5
        # few images in many bins would be a comb
        bins = int(np.clip(2 * np.sqrt(min(map(len, held))), _LEAST, _MOST))
        edges = np.linspace(low - pad, high + pad, bins + 1)
        counted = {name: scores[~np.isnan(scores)] for name, scores in sets.items()}
        shares = {
            name: np.histogram(np.clip(scores, edges[0], edges[-1]), edges)[0] / len(scores)
            for name, scores in counted.items()
            if len(scores)
        }
        missing = {name: n for name, scores in sets.items() if (n := int(np.isnan(scores).sum()))}
        return cls(detector, edges, shares, missing, threshold, styles)

    @property
    def alt(self) -> str:
        """See `Figure`."""
        return f"Histograms of the {self.detector} score of {listing(list(self.shares))}, on a logarithmic axis."

    @property
    def caption(self) -> str:
        """See `Figure`."""
        text = "Further right is stranger. "
        if self.threshold is None:
            text += "The less a set overlaps with the test images, the more of it can be told from them."
        else:
            text += (
                f"What lies right of the line, at {number(self.threshold)}, is refused: a set's part left of it slips through, "
                "the test images' part right of it are false alarms."
            )
        text += " Outermost bins hold all that lies beyond."
        if self.missing:
            text += " Not a number, and left out: " + listing([f"{n} of {name}" for name, n in self.missing.items()])
            text += "."
        return text

    def _steps(self, name: str) -> tuple[Array, Array]:
        """Return the outline; a logarithmic axis has no place for 0: there it runs beneath the picture."""
        shares = np.maximum(self.shares[name], self._floor / 100)
        return np.repeat(self.edges, 2), np.concatenate(
            [[self._floor / 100], np.repeat(shares, 2), [self._floor / 100]]
        )

    @property
    def _floor(self) -> float:
        """Where the axis begins."""
        return 0.7 * float(min(shares[shares > 0].min() for shares in self.shares.values()))

    def traces(self) -> list[dict[str, Any]]:
        """See `Figure`."""
        traces = []
        for name in self.shares:
            x, y = self._steps(name)
            style = self.styles[name]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": escaped(shortened(name)),
                    "x": _rounded(x),
                    "y": _rounded(y),
                    "line": {"color": Token(style.colour), "width": 2, "dash": style.dash},
                    "hovertemplate": "score %{x:.4~g}: %{y:.2~%} of the set",
                }
            )
        return traces

    def layout(self) -> dict[str, Any]:
        """See `Figure`."""
        x = axis(f"{escaped(self.detector)} score")
        ends = [
            float(np.log10(self._floor)),
            float(np.log10(1.3 * max(shares.max() for shares in self.shares.values()))),
        ]
        y = axis("share of the set per bin", type="log", tickformat="~%", dtick=1, range=ends)
        line = {} if self.threshold is None else vertical(self.threshold, "refused →")
        return {"xaxis": x, "yaxis": y, **line}

    def draw(self, axes: Axes) -> None:
        """See `Figure`."""
        for name in self.shares:
            style = self.styles[name]
            x, y = self._steps(name)
            axes.plot(x, y, color=light(style.colour), ls=MPL_DASHES[style.dash], lw=1.3, label=plain(shortened(name)))
        if self.threshold is not None:
            threshold_line(axes, self.threshold, "refused →")
        axes.set(yscale="log", xlabel=f"{self.detector} score", ylabel="share of the set per bin")
        axes.set_ylim(bottom=self._floor)
        in_percent(axes.yaxis)
        legend_below(axes, len(self.shares))


def _ordered(run: RunContents, detector: str) -> list[str]:
    """Return the sets that a detector has scores of, the test images first."""
    return [name for name in (TEST, *run.anomalies) if name in run.scores[detector]]


def _rounded(values: Array) -> list[float]:
    """Return numbers with six digits: more only make the page larger."""
    return [float(f"{value:.6g}") for value in values]
