"""drumlin evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drumlin.cli._parsing import parse
from drumlin.cli._runs import RunFlags
from drumlin.cli._tables import record_lines


@dataclass(kw_only=True)
class Evaluate(RunFlags):
    """Measure error, calibration and geometry of a run on its test images, and map its features."""


def run(words: Sequence[str]) -> int:
    """Measure, store and print."""
    from drumlin.tasks.evaluation import evaluation

    subject = parse(Evaluate, words, name="evaluate").subject()
    results = evaluation(subject)
    for name, result in results.items():
        result.store(subject.run.folder, name)
    print("\n\n".join(record_lines(result.records) for result in results.values() if result.records))
    return 0
