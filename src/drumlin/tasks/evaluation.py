"""What every run is measured by first: error, geometry, and the map of its own images."""

from __future__ import annotations

from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.feature_map import feature_map, known_sets
from drumlin.tasks.geometry import geometry


def evaluation(subject: Subject) -> dict[str, TaskResult]:
    """Measure a run on its test images; return the results by the names they are to be stored as.

    Raises:
        ValueError: the data has no test split, or is not there.
    """
    return {
        "classification": classification(subject),
        "geometry": geometry(subject),
        "map": feature_map(subject, known_sets(subject)),
    }
