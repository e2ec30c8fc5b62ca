"""How many steps a training took to come near to where it ended."""

from __future__ import annotations

from collections.abc import Sequence

from drumlin._history import interval, moments
from drumlin.tasks.base import Subject, TaskResult

TASK = "convergence"
WITHIN = 0.1
"""Of the least hold-out error: how near is near."""


def convergence(subject: Subject) -> TaskResult:
    """Read from the run's history after how many steps the hold-out error first came within a tenth of its least.

    It is looked at when it was measured: after every epoch, and within them where the training was told to. Of more looks another
    one is the least, so the protocol says then how often, and such numbers do not stand in one column with others.

    Raises:
        ValueError: nothing was held out.

    Source: I Table 2 has such numbers and does not say how they are defined.
    """
    subject.begin()
    history = moments(subject.run.history)
    errors = [moment["holdout_error"] for moment in history]
    if any(error is None for error in errors):
        raise ValueError("convergence is told by the error on the hold-out, and nothing was held out")
    facts = {"split": "holdout", "n": len(subject.run.split.holdout), **subject.trained_with}
    every = interval(subject.run.history)
    facts["protocol"] = None if every is None else f"looked at every {every} steps"
    steps = history[first_near(errors)]["steps"]
    return TaskResult([subject.record(TASK, "steps", steps, unit="steps", **facts)])


def first_near(errors: Sequence[float], within: float = WITHIN) -> int:
    """Return the place of the first error that is at most (1 + `within`) times the least of all.

    >>> first_near([0.05, 0.021, 0.022, 0.02])
    1
    """
    near = (1 + within) * min(errors)
    return next(place for place, error in enumerate(errors) if error <= near)
