"""Curves over the steps of trainings, read from what their runs wrote on their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from drumlin._history import moments
from drumlin.report.contents import Array
from drumlin.report.figures.panels import EmptyPanel, Panel
from drumlin.report.figures.progress import ProgressPanel
from drumlin.report.reading import read_run


class Curve(NamedTuple):
    """What a panel shows over the steps: title, key in `training.jsonl` or the probe, name of the axis, whether it is a fraction."""

    title: str
    key: str
    label: str = "error"
    fraction: bool = True


def progress_panels(folders: Mapping[str, Path | None], curves: tuple[Curve, ...]) -> list[Panel]:
    """Return a panel a curve, with a line a training.

    Args:
        folders: training → its run; None for one that diverged, which has no line.
        curves: what is drawn.

    Raises:
        ValueError: a run that did not write down what a curve shows.
    """
    followed = {name: moments(read_run(folder).epochs) for name, folder in folders.items() if folder is not None}
    for name, history in followed.items():
        for curve in curves:
            if not any(curve.key in {**moment, **moment.get("probe", {})} for moment in history):
                raise ValueError(
                    f"{folders[name]} has no {curve.key} in its training.jsonl: it was trained before recipes kept it; remove the "
                    "folder and its records, and it is trained again"
                )
    panels: list[Panel] = []
    for curve in curves:
        lines = {name: _line(history, curve.key) for name, history in followed.items()}
        drawn = ProgressPanel(curve.title, lines, curve.label, curve.fraction) if lines else None
        panels.append(drawn or EmptyPanel(curve.title, "all trainings diverged"))
    return panels


def _line(history: Sequence[Mapping[str, Any]], key: str) -> tuple[Array, Array]:
    """Return the steps of the moments that have the number, and the number, NaN where it was not finite."""
    every = [{**moment, **moment.get("probe", {})} for moment in history]
    having = [moment for moment in every if key in moment]
    steps, numbers = ([moment[name] for moment in having] for name in ("steps", key))
    return np.array(steps, dtype=np.float64), np.array(numbers, dtype=np.float64)
