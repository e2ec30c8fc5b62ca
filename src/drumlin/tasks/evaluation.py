"""What every run is measured by first: error, geometry, and the map of its own images; and more where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drumlin import _io
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.clusters import clusters
from drumlin.tasks.feature_map import feature_map, known_sets
from drumlin.tasks.geometry import geometry
from drumlin.tasks.neighbours import neighbours

OPTIONAL: dict[str, Callable[[Subject], TaskResult]] = {"neighbours": neighbours, "clusters": clusters}
"""Measurements that take longer, or say little of most runs, by name."""


def evaluation(subject: Subject, also: Sequence[str] = ()) -> dict[str, TaskResult]:
    """Measure a run on its test images; return the results by the names they are to be stored as.

    Args:
        subject: the run.
        also: names out of `OPTIONAL`.

    Raises:
        ValueError: an unknown name; the data has no test split, or is not there.
    """
    for name in also:
        if name not in OPTIONAL:
            raise _io.unknown("measurement", name, OPTIONAL)
    return {
        "classification": classification(subject),
        "geometry": geometry(subject),
        "map": feature_map(subject, known_sets(subject)),
        **{name: OPTIONAL[name](subject) for name in also},
    }
