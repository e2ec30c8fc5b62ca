"""Feature space in two dimensions. The page draws it on a canvas of its own, for it has twenty thousand points and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from drumlin.report.contents import (
    Array,
    Density,
    Flags,
    Integers,
    Kind,
    Pixels,
    Points,
    RunContents,
    View,
    point_p_values,
)
from drumlin.report.figures.base import legend_below, plain
from drumlin.report.palette import Style, light
from drumlin.report.text import listing, number, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

VIEWS = {"plane": "Features", "pca": "Principal directions", "lda": "Class-separating directions (LDA)"}
"""View in the arrays → what a reader calls it."""

_AXES = {
    "plane": "feature {} (feature units)",
    "pca": "principal direction {} (feature units)",
    "lda": "discriminant {} (σ within classes)",
}
_MARKS = {
    "dot": ".",
    "circle": "o",
    "triangle": "^",
    "square": "s",
    "diamond": "D",
    "down": "v",
    "star": "*",
    "cross": "x",
}


@dataclass(frozen=True, eq=False)
class Layer:
    """One set on the map, a point a row; p-values are NaN where there are none, refused is then None."""

    name: str
    kind: Kind
    style: Style
    of: int
    index: Integers
    label: Integers
    prediction: Integers
    probability: Array
    p_value: Array
    refused: Flags | None
    thumbnails: Pixels
    views: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class MapFigure:
    """The map of a run.

    Attributes:
        layers: sets, those that lie beneath first.
        views: those of the run, the most telling first.
        contours: view → whether circles of one and two sigma fit into the picture and are drawn.
        class_names: of the model.
        density: log-density on a grid, for two-dimensional features.
        notes: what is not drawn, and why.
    """

    name: ClassVar[str] = "map"
    layers: tuple[Layer, ...]
    views: Mapping[str, View]
    contours: Mapping[str, bool]
    class_names: tuple[str, ...]
    density: Density | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, run: RunContents, styles: Mapping[str, Style], *, most: int) -> MapFigure | None:
        """Return the map with at most `most` points, a share of every set; None if the run has none."""
        if run.map is None or not run.map.sets:
            return None
        total = sum(int(points.drawn.sum()) for points in run.map.sets)
        share = min(1.0, most / max(total, 1))
        layers, notes = [], []
        for points in run.map.sets:
            layer, lost = _layer(run, points, styles[points.name], share)
            layers.append(layer)
            if lost:
                notes.append(f"{lost} of {points.name} have no finite place in it and are not drawn")
        if share < 1:
            notes.append(f"{100 * share:.0f}% of the points in the run's folder are drawn, chosen by chance")
        views = {name: run.map.views[name] for name in (*VIEWS, *run.map.views) if name in run.map.views}
        contours = {name: _fits(view, layers, name) for name, view in views.items()}
        for name, fits in contours.items():
            if not fits:
                sigma = np.sqrt(np.median(_variances(views[name].covariance)))
                notes.append(
                    f"{VIEWS.get(name, name)}: contours are not drawn, for the classes' Gaussians (σ = {number(sigma)}) are wider "
                    "than the whole picture"
                )
        return cls(tuple(layers), views, contours, run.class_names, run.map.density, tuple(notes))

    @property
    def alt(self) -> str:
        """What it shows, in words."""
        sets = listing([f"{len(layer.index)} of {layer.name}" for layer in self.layers])
        return f"Map of the feature space with {sets}. The gallery below shows the images that matter most."

    @property
    def caption(self) -> str:
        """What to see in it."""
        text = (
            "Each point is an image, where the network puts it; near points look alike to it. What is known should lie in the hills "
            "around the class means (crosses), what is unknown outside of them."
        )
        if any(self.contours.values()):
            text += " Ellipses are one and two standard deviations of a class."
        if self.density is not None:
            text += " The shading is the model's density of the features, log p(z): the stronger, the likelier."
        elif len(self.views) and "plane" not in self.views:
            text += " Two dimensions out of many: what overlaps here may lie far apart."
        return " ".join([text, *(f"{note}." for note in self.notes)])

    def save_to(self, canvas: Canvas) -> None:
        """Draw every view beside the other onto an empty matplotlib figure."""
        axes = canvas.subplots(1, len(self.views), squeeze=False)[0]
        for part, view in zip(axes, self.views, strict=True):
            self._draw(part, view)
        for handle in legend_below(axes[0], len(self.layers)).legend_handles:
            if handle is not None:
                handle.set(sizes=[24], alpha=1)

    @property
    def width(self) -> float:
        """Of the file, in inches."""
        return 5.0 * len(self.views)

    height: ClassVar[float] = 4.6

    def _draw(self, axes: Axes, view: str) -> None:
        if self.density is not None and view == "plane":
            from matplotlib.colors import LinearSegmentedColormap

            shades = LinearSegmentedColormap.from_list("density", [light("paper"), light("training")])
            log = np.maximum(self.density.log, self.density.log.max() - DENSITY_DEPTH)
            axes.pcolormesh(self.density.x, self.density.y, log, cmap=shades, rasterized=True)
        for layer in self.layers:
            x, y = layer.views[view].T
            mark, colour = _MARKS[layer.style.mark], light(layer.style.colour)
            points = axes.scatter(x, y, s=6, marker=mark, c=colour, linewidths=0.6, alpha=0.7, rasterized=True)
            points.set_label(plain(shortened(layer.name)))
            if mark not in "x.":  # open marks: what lies beneath stays visible
                points.set_facecolor("none")
                points.set_edgecolor(colour)
        means = self.views[view].means
        axes.plot(*means.T, "+", color=light("ink"), ms=6)
        if self.contours[view]:
            angles = np.linspace(0, 2 * np.pi, 90)
            circle = np.stack([np.cos(angles), np.sin(angles)])
            for mean, covariance in zip(means, self.views[view].covariance, strict=True):
                for sigma in (1, 2):
                    axes.plot(
                        *(mean[:, None] + sigma * _root(covariance) @ circle), color=light("ink"), lw=0.4, alpha=0.6
                    )
        if len(means) <= 20:
            for name, mean in zip(self.class_names, means, strict=True):
                axes.annotate(
                    plain(shortened(name, 14)),
                    mean,
                    xytext=(3, 3),
                    textcoords="offset points",
                    fontsize=8,
                    weight="bold",
                )
        across, up = axis_titles(view)
        low, high = self._window(view)
        axes.set(xlabel=across, ylabel=up)
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")

    def _window(self, view: str) -> tuple[Array, Array]:
        """Return the corners of a picture that leaves out but the outermost few in a thousand."""
        places = np.concatenate([self.views[view].means, *(layer.views[view] for layer in self.layers)])
        low, high = np.quantile(places, [0.0025, 0.9975], axis=0)
        pad = 0.06 * (high - low) + 1e-6
        return low - pad, high + pad


DENSITY_DEPTH = 5.0
"""The shading of the density ends so many nats below its peak."""


def axis_titles(view: str) -> tuple[str, str]:
    """Return the titles of a view's axes, with their units.

    >>> axis_titles("pca")
    ('principal direction 1 (feature units)', 'principal direction 2 (feature units)')
    """
    title = _AXES.get(view, view + " {}")
    return title.format(1), title.format(2)


def _layer(run: RunContents, points: Points, style: Style, share: float) -> tuple[Layer, int]:
    """Return what is drawn of a set, and how many of it have no finite place."""
    rows = np.flatnonzero(points.drawn)
    rows = rows[: max(1, round(share * len(rows)))] if share < 1 else rows
    finite = np.all([np.isfinite(xy[rows]).all(1) for xy in points.views.values()], axis=0)
    rows, lost = rows[finite], int((~finite).sum())
    p_value = point_p_values(run, points)[rows]
    known = bool(len(rows)) and not np.isnan(p_value).any()
    return Layer(
        name=points.name,
        kind=points.kind,
        style=style,
        of=len(points.index),
        index=points.index[rows],
        label=points.label[rows],
        prediction=points.prediction[rows],
        probability=points.probability[rows],
        p_value=p_value,
        refused=p_value <= run.calibration.false_alarm if known and run.calibration else None,
        thumbnails=points.thumbnails[rows],
        views={name: xy[rows] for name, xy in points.views.items()},
    ), lost


def _fits(view: View, layers: list[Layer], name: str) -> bool:
    """Return whether the classes' Gaussians are not much wider than everything that is drawn."""
    places = [view.means, *(layer.views[name] for layer in layers)]
    extent = np.ptp(np.concatenate(places), axis=0).max()
    return bool(np.isfinite(view.covariance).all() and 2 * np.sqrt(np.median(_variances(view.covariance))) <= extent)


def _variances(covariance: Array) -> Array:
    """Return the greatest variance of each class."""
    return np.asarray(np.linalg.eigvalsh(covariance)[:, -1])


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))
