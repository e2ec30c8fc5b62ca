"""What is measured of the classes and features of any model: error, geometry, steps to converge, neighbours, clusters; its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drumlin.recipes.tables import by_row
from drumlin.results import Record, in_percent, select, table
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.clusters import clusters
from drumlin.tasks.convergence import TASK as CONVERGENCE
from drumlin.tasks.convergence import convergence
from drumlin.tasks.geometry import TASK as GEOMETRY
from drumlin.tasks.geometry import geometry
from drumlin.tasks.neighbours import neighbours

_TABLES: tuple[tuple[str, str, tuple[str, ...], int], ...] = (
    ("Steps to converge", CONVERGENCE, ("steps",), 0),
    ("Accuracy of k nearest neighbours, %", "neighbours", ("accuracy",), 2),
    ("Normalised mutual information", "clusters", ("nmi",), 3),
    (
        "Geometry; in parentheses the distance of means at the optimum of the loss",
        GEOMETRY,
        ("mean-distance", "mean-distance-cv", "intra-inter-ratio", "center-loss"),
        3,
    ),
)
"""Title, task, metrics, and digits after the decimal point."""


def measure(subject: Subject) -> Iterator[TaskResult]:
    """Yield error, geometry, steps to converge if something was held out to tell them by, neighbours and clusters of a run."""
    yield from error_and_geometry(subject)
    if len(subject.run.split.holdout):
        yield convergence(subject)
    yield neighbours(subject)
    yield clusters(subject)


def error_and_geometry(subject: Subject) -> Iterator[TaskResult]:
    """Yield error and geometry of a run, which keeps its geometry, arrays and all: figures are drawn of it."""
    yield classification(subject)
    measured = geometry(subject)
    measured.store(subject.run.folder, GEOMETRY)
    yield measured


def show(records: Sequence[Record]) -> str:
    """Return a table of each of these but the error; published values are in parentheses."""
    parts = []
    for title, task, metrics, digits in _TABLES:
        found = [by_row(in_percent(r)) for r in select(records, task=task, metric=metrics)]
        if found:
            parts += [title, table(found, rows=["head"], columns=["anomaly"], digits=digits, published=True)]
    return "\n\n".join(parts)
