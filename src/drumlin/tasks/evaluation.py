"""What every run is measured by first: error, geometry, and the map of its own images; and more where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.clusters import clusters
from drumlin.tasks.feature_map import feature_map, known_sets
from drumlin.tasks.geometry import geometry
from drumlin.tasks.neighbours import neighbours

Measurement = Callable[[Subject], TaskResult]

OPTIONAL: dict[str, Measurement] = {"neighbours": neighbours, "clusters": clusters}
"""Measurements that take longer, or say little of most runs, by name."""


def evaluation(subject: Subject, also: Mapping[str, Measurement] | None = None) -> Iterator[tuple[str, TaskResult]]:
    """Measure a run on its test images; yield each result as it comes, after the name it is to be stored as.

    Args:
        subject: the run.
        also: name → what else to measure, as those in `OPTIONAL`.

    Raises:
        ValueError: (on the way) the data has no test split, or is not there.
    """
    yield "classification", classification(subject)
    yield "geometry", geometry(subject)
    yield "map", feature_map(subject, known_sets(subject))
    for name, measurement in (also or {}).items():
        yield name, measurement(subject)
