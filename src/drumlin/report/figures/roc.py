"""How well a score tells each set from the test images, at every threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from drumlin.metrics.detection import auroc, roc_curve
from drumlin.report.contents import TEST, Array, RunContents
from drumlin.report.figures.base import MPL_DASHES, Figure, axis, escaped, in_percent, legend_below, plain
from drumlin.report.palette import Style, Token, light
from drumlin.report.text import listing, percent, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 250


@dataclass(frozen=True, eq=False)
class RocCurves(Figure):
    """ROC curve of each set against the test images.

    Attributes:
        detector: whose scores.
        curves: set → (p, 2) false-positive and true-positive rate; thinned, ends kept.
        area: set → AUROC, of all scores.
        missing: set → how many scores are NaN and left out, where any are.
    """

    name: ClassVar[str] = "roc"
    detector: str
    curves: Mapping[str, Array]
    area: Mapping[str, float]
    missing: Mapping[str, int]
    styles: Mapping[str, Style]

    @classmethod
    def of(cls, run: RunContents, detector: str, styles: Mapping[str, Style]) -> RocCurves | None:
        """Return the curves of a detector; None if the test images or all others have no scores."""
        scores = {name: values[~np.isnan(values)] for name, values in run.scores[detector].items()}
        normal = scores.get(TEST, np.empty(0))
        curves, area = {}, {}
        for name in run.anomalies:
            if len(normal) and len(scores.get(name, ())):
                fpr, tpr, _ = roc_curve(normal, scores[name])
                curves[name] = _thinned(np.stack([fpr, tpr], axis=1))
                area[name] = auroc(normal, scores[name])
        missing = {name: n for name, all_ in run.scores[detector].items() if (n := int(np.isnan(all_).sum()))}
        return cls(detector, curves, area, missing, styles) if curves else None

    @property
    def alt(self) -> str:
        """See `Figure`."""
        areas = listing([f"{percent(area)} for {name}" for name, area in self.area.items()])
        return f"ROC curves of the {self.detector} score; area under the curve {areas}."

    @property
    def caption(self) -> str:
        """See `Figure`."""
        text = (
            "Every threshold at once: the share of each set that is refused against the share of test images that are refused "
            "with it. The dashed diagonal is guessing; in brackets the area under the curve, 50% for guessing."
        )
        return text + (" Scores that are not a number are left out." if self.missing else "")

    def _label(self, name: str) -> str:
        return f"{shortened(name)} ({percent(self.area[name])})"

    def traces(self) -> list[dict[str, Any]]:
        """See `Figure`."""
        guess = {"x": [0, 1], "y": [0, 1], "line": {"color": Token("muted"), "width": 1, "dash": "dash"}}
        traces: list[dict[str, Any]] = [
            {"type": "scatter", "mode": "lines", "showlegend": False, "hoverinfo": "skip"} | guess
        ]
        for name, curve in self.curves.items():
            style = self.styles[name]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": escaped(self._label(name)),
                    "x": curve[:, 0].round(5).tolist(),
                    "y": curve[:, 1].round(5).tolist(),
                    "line": {"color": Token(style.colour), "width": 2, "dash": style.dash},
                    "hovertemplate": "refuses %{y:.1%} of it and %{x:.1%} of test images",
                }
            )
        return traces

    def layout(self) -> dict[str, Any]:
        """See `Figure`."""
        share = {"tickformat": ".0%"}
        return {
            "xaxis": axis("test images refused", range=[-0.01, 1.01], **share),
            "yaxis": axis("refused of the set", range=[-0.01, 1.02], **share),
        }

    def draw(self, axes: Axes) -> None:
        """See `Figure`."""
        axes.plot([0, 1], [0, 1], color=light("muted"), ls="--", lw=0.8)
        for name, curve in self.curves.items():
            style = self.styles[name]
            axes.plot(
                *curve.T, color=light(style.colour), ls=MPL_DASHES[style.dash], lw=1.5, label=plain(self._label(name))
            )
        axes.set(xlabel="test images refused", ylabel="refused of the set")
        in_percent(axes.xaxis)
        in_percent(axes.yaxis)
        legend_below(axes, 2)


def _thinned(curve: Array) -> Array:
    """Return at most so many points of a curve, evenly along it."""
    if len(curve) <= _POINTS:
        return curve
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(curve, axis=0)).sum(1))])
    chosen = np.searchsorted(length, np.linspace(0, length[-1], _POINTS))
    thinned: Array = curve[np.unique(np.concatenate([[0], chosen, [len(curve) - 1]]))]
    return thinned
