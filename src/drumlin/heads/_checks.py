"""Checks of hyperparameters: an error names the argument, what it was and what would do."""

from __future__ import annotations

import math
from collections.abc import Iterable


def one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse a word that is not among `allowed`."""
    if value not in (allowed := tuple(allowed)):
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")


def at_least(name: str, value: float, low: float) -> None:
    """Refuse a number below `low`, or one that is not finite."""
    if not (math.isfinite(value) and value >= low):
        raise ValueError(f"{name} must be a finite number of at least {low}, got {value}")


def above(name: str, value: float, low: float) -> None:
    """Refuse a number that is not above `low`, or not finite."""
    if not (math.isfinite(value) and value > low):
        raise ValueError(f"{name} must be a finite number above {low}, got {value}")


def whole(name: str, value: int, low: int) -> None:
    """Refuse what is not a whole number of at least `low`; True and 4.0 are not whole numbers either."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{name} must be a whole number of at least {low}, got {value!r}")
