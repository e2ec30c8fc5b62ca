"""How many steps a training took to come near to where it ended."""

from __future__ import annotations

from collections.abc import Sequence

from drumlin.tasks.base import Subject, TaskResult

TASK = "convergence"
WITHIN = 0.1
"""Of the least hold-out error: how near is near."""


def convergence(subject: Subject) -> TaskResult:
    """Read from the run's history after how many steps the hold-out error first came within a tenth of its least.

    It is measured once an epoch, so the number is a multiple of an epoch's steps.

    Raises:
        ValueError: nothing was held out.

    Source: I Table 2 has such numbers and does not say how they are defined.
    """
    subject.begin()
    history = subject.run.history
    errors = [epoch["holdout_error"] for epoch in history]
    if any(error is None for error in errors):
        raise ValueError("convergence is told by the error on the hold-out, and nothing was held out")
    epochs = epochs_to(errors)
    facts = {"split": "holdout", "n": len(subject.run.split.holdout), **subject.trained_with}
    steps = history[epochs - 1]["steps"]
    return TaskResult([subject.record(TASK, "steps", steps, unit="steps", **facts)])


def epochs_to(errors: Sequence[float], within: float = WITHIN) -> int:
    """Return the number of epochs after which the error is first at most (1 + `within`) times the least of all.

    >>> epochs_to([0.05, 0.021, 0.022, 0.02])
    2
    """
    near = (1 + within) * min(errors)
    return next(epoch for epoch, error in enumerate(errors, 1) if error <= near)
