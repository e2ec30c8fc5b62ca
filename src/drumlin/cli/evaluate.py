"""drumlin evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drumlin.cli._parsing import parse
from drumlin.cli._runs import RunFlags, report


@dataclass(kw_only=True)
class Evaluate(RunFlags):
    """Measure error, calibration and geometry of a run on its test images."""


def run(words: Sequence[str]) -> int:
    """Measure, store and print."""
    from drumlin.tasks.classification import classification
    from drumlin.tasks.geometry import geometry

    subject = parse(Evaluate, words, name="evaluate").subject()
    report(subject, classification(subject), "classification")
    print()
    report(subject, geometry(subject), "geometry")
    return 0
