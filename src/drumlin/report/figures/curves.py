"""Panels of scores: how two sets are spread, and how well each of several models tells them apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from drumlin.metrics.detection import roc_curve
from drumlin.report.contents import Array
from drumlin.report.figures.base import plain
from drumlin.report.figures.panels import Panel
from drumlin.report.palette import CLASSES, light

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_BINS = 50


@dataclass(frozen=True, eq=False)
class HistogramPanel(Panel):
    """Shares of sets by value.

    Attributes:
        values: set → (n,) values; sets have the same colours in every panel that names them in the same order.
        label: of the horizontal axis, with its unit.
        span: ends of the horizontal axis; what lies beyond is in the outermost bins. None: all values.
    """

    values: Mapping[str, Array]
    label: str
    span: tuple[float, float] | None = None

    def draw(self, axes: Axes) -> None:
        """Draw the outlines, filled lightly."""
        low, high = self.span or _span(list(self.values.values()))
        edges = np.linspace(low, high, _BINS + 1)
        for colour, values in zip(CLASSES, self.values.values(), strict=False):
            shares = np.histogram(np.clip(values, low, high), edges)[0] / max(len(values), 1)
            axes.stairs(shares, edges, color=colour, fill=True, alpha=0.25)
            axes.stairs(shares, edges, color=colour, linewidth=1)
        axes.set(xlim=(low, high), ylim=(0, None), box_aspect=1)
        axes.set_xlabel(self.label, fontsize=7)
        axes.set_ylabel("share of images", fontsize=7, labelpad=1)

    def handles(self) -> list[Artist]:
        """Return a patch a set."""
        from matplotlib.patches import Patch

        return [
            Patch(color=colour, alpha=0.6, label=plain(name))
            for colour, name in zip(CLASSES, self.values, strict=False)
        ]


@dataclass(frozen=True, eq=False)
class RocPanel(Panel):
    """ROC curves of several scores in one panel.

    Attributes:
        scores: name → (scores of normal images, scores of anomalies).
    """

    scores: Mapping[str, tuple[Array, Array]]

    def draw(self, axes: Axes) -> None:
        """Draw the curves, the diagonal of guessing and that on which the equal error rate lies."""
        axes.plot([0, 1], [0, 1], "--", color=light("muted"), linewidth=0.8)
        axes.plot([0, 1], [1, 0], ":", color=light("muted"), linewidth=0.8)
        for colour, (name, (normal, anomalous)) in zip(CLASSES, self.scores.items(), strict=False):
            false, true, _ = roc_curve(normal, anomalous)
            axes.plot(false, true, color=colour, linewidth=1.2, label=plain(name))
        axes.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1)
        axes.set_xlabel("normal images refused", fontsize=7)
        axes.set_ylabel("anomalies refused", fontsize=7, labelpad=1)
        axes.legend(fontsize=6, loc="lower right", frameon=False)


def _span(values: list[Array]) -> tuple[float, float]:
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    return (low, high) if high > low else (low - 0.5, low + 0.5)
