"""What every run is measured by first: error, geometry, and the map of its own images; and more where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from drumlin import _io
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.clusters import clusters
from drumlin.tasks.feature_map import feature_map, known_sets
from drumlin.tasks.geometry import geometry
from drumlin.tasks.neighbours import neighbours

OPTIONAL: dict[str, Callable[[Subject], TaskResult]] = {"neighbours": neighbours, "clusters": clusters}
"""Measurements that take longer, or say little of most runs, by name."""


def evaluation(subject: Subject, also: Sequence[str] = ()) -> Iterator[tuple[str, TaskResult]]:
    """Measure a run on its test images; yield each result as it comes, after the name it is to be stored as.

    Args:
        subject: the run.
        also: names out of `OPTIONAL`.

    Raises:
        ValueError: an unknown name, at once; (on the way) the data has no test split, or is not there.
    """
    for name in also:
        if name not in OPTIONAL:
            raise _io.unknown("measurement", name, OPTIONAL)
    return _results(subject, also)


def _results(subject: Subject, also: Sequence[str]) -> Iterator[tuple[str, TaskResult]]:
    yield "classification", classification(subject)
    yield "geometry", geometry(subject)
    yield "map", feature_map(subject, known_sets(subject))
    for name in also:
        yield name, OPTIONAL[name](subject)
