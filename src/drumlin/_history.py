"""What `training.jsonl` says of a training: a line an epoch, with what was measured within the epoch inside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

WITHIN = "within"
"""Key of what was measured within an epoch: a list, by steps, of `steps`, `holdout_error` and `probe`."""


def moments(history: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return everything that was measured, by steps: what lies within an epoch before the epoch's own line.

    >>> history = [{"epoch": 1, "steps": 5, "within": [{"steps": 2}, {"steps": 4}]}, {"epoch": 2, "steps": 10}]
    >>> [moment["steps"] for moment in moments(history)]
    [2, 4, 5, 10]
    """
    return [moment for epoch in history for moment in (*epoch.get(WITHIN, ()), epoch)]


def interval(history: Iterable[Mapping[str, Any]]) -> int | None:
    """Return the steps between two measurements within an epoch; None where there are none.

    >>> interval([{"epoch": 1, "steps": 5}, {"epoch": 2, "steps": 10, "within": [{"steps": 7}]}])
    7
    """
    return next((moment["steps"] for epoch in history for moment in epoch.get(WITHIN, ())), None)
