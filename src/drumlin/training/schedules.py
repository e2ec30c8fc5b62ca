"""The learning rate as a function of how far the training has come."""

from __future__ import annotations

import math
from collections.abc import Callable

from drumlin._io import unknown
from drumlin.settings.run import ScheduleSettings


def _one_cycle(progress: float, settings: ScheduleSettings) -> float:
    return min(progress / settings.warmup if settings.warmup else 1.0, (1 - progress) / (1 - settings.warmup))


def _cosine(progress: float, settings: ScheduleSettings) -> float:
    if progress < settings.warmup:
        return progress / settings.warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - settings.warmup) / (1 - settings.warmup)))


def _step(progress: float, settings: ScheduleSettings) -> float:
    passed = sum(progress >= milestone for milestone in settings.milestones)
    return float(settings.factor**passed)


def _exponential(progress: float, settings: ScheduleSettings) -> float:
    return float(settings.factor ** math.floor(progress / settings.period))


def _constant(progress: float, settings: ScheduleSettings) -> float:
    return 1.0


SCHEDULES: dict[str, Callable[[float, ScheduleSettings], float]] = {
    "one-cycle": _one_cycle,
    "cosine": _cosine,
    "step": _step,
    "exponential": _exponential,
    "constant": _constant,
}


def rate_factor(settings: ScheduleSettings, step: int, total: int) -> float:
    """Return the factor in [0, 1] on the learning rate for step `step` (from 0) of `total`.

    The schedule is read in the middle of the step, so that no step is taken at rate 0. The exponential one falls in stairs:
    "0.96 every 1000 steps" (I §4.1.1) of T steps is `factor=0.96, period=1000 / T`, "0.94 every two epochs" (I §4.1.2) of E
    epochs is `factor=0.94, period=2 / E`.

    Raises:
        ValueError: an unknown schedule, or a step outside the training.

    >>> settings = ScheduleSettings(name="one-cycle", warmup=0.5)
    >>> [round(rate_factor(settings, step, 4), 3) for step in range(4)]
    [0.25, 0.75, 0.75, 0.25]
    """
    if settings.name not in SCHEDULES:
        raise unknown("schedule", settings.name, SCHEDULES)
    if not 0 <= step < total:
        raise ValueError(f"step must lie in 0..{total - 1}, got {step}")
    return SCHEDULES[settings.name]((step + 0.5) / total, settings)
