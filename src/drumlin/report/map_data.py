"""What the page's map needs: numbers as typed arrays, pictures in sheets, all within a budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from drumlin.report import palette
from drumlin.report.contents import Density, Kind
from drumlin.report.figures.feature_map import DENSITY_DEPTH, VIEWS, Layer, MapFigure, axis_titles
from drumlin.report.html import Html, packed, script_json
from drumlin.report.thumbnails import Sheets, ThumbnailStore

_KINDS = {Kind.TRAINING: "training", Kind.TEST: "known", Kind.UNKNOWN: "unknown", Kind.ATTACKED: "attacked"}

_FEWER: tuple[tuple[Callable[[Layer], bool], str], ...] = (
    (lambda layer: True, ""),
    (lambda layer: layer.kind is not Kind.TRAINING, "Training images are not shown, to keep this page small."),
    (lambda layer: False, "The map shows no images, to keep this page small."),
)
"""Whose images are on the map, and what the reader is told, in the order in which this is given up."""


def map_data(figures: Sequence[MapFigure | None], budget: int) -> Html:
    """Return the script element with the data of the maps, in at most `budget` bytes, if need be without some pictures.

    An image that several runs show is stored once.
    """
    for shown, note in _FEWER:
        store = ThumbnailStore()
        maps = [None if figure is None else _map(figure, store, shown) for figure in figures]
        bare = script_json("maps", {"maps": maps, "sheets": Sheets([], [], "").to_json()})
        sheets = store.sheets(budget - len(bare.encode()))
        if sheets is not None:
            notes = " ".join(filter(None, [note, sheets.note]))
            return script_json("maps", {"maps": maps, "sheets": sheets.to_json() | {"note": notes}})
    raise AssertionError("no pictures always fit")


def _map(figure: MapFigure, store: ThumbnailStore, shown: Callable[[Layer], bool]) -> dict[str, Any]:
    layers = [
        {
            "name": layer.name,
            "kind": _KINDS[layer.kind],
            "colour": layer.style.colour,
            "mark": layer.style.mark,
            "n": len(layer.index),
            "label": packed(layer.label, "i4"),
            "prediction": packed(layer.prediction, "i4"),
            "probability": packed(layer.probability, "f4"),
            "p": packed(layer.p_value, "f4"),
            "refused": None if layer.refused is None else packed(layer.refused, "u1"),
            "tile": packed(store.add(layer.thumbnails) if shown(layer) else np.full(len(layer.index), -1), "i4"),
            "xy": {view: packed(xy, "f4") for view, xy in layer.views.items()},
        }
        for layer in figure.layers
    ]
    views = [
        {
            "name": name,
            "title": VIEWS.get(name, name),
            "axes": axis_titles(name),
            "means": packed(view.means, "f4"),
            "covariance": packed(view.covariance, "f4") if figure.contours[name] else None,
        }
        for name, view in figure.views.items()
    ]
    colours = palette.CLASSES if len(figure.class_names) <= len(palette.CLASSES) else None
    return {
        "layers": layers,
        "views": views,
        "density": None if figure.density is None else _density(figure.density),
        "classes": figure.class_names,
        "colours": colours,
        "alt": figure.alt,
    }


def _density(density: Density) -> dict[str, Any]:
    """Return the density as shades of 0 to 255, down to so many nats below its peak, and the ends of its axes."""
    shade = np.clip(1 + (density.log - density.log.max()) / DENSITY_DEPTH, 0, 1) * 255
    ends = {name: [float(values[0]), float(values[-1])] for name, values in (("x", density.x), ("y", density.y))}
    return ends | {"width": len(density.x), "height": len(density.y), "shade": packed(shade.round(), "u1")}
