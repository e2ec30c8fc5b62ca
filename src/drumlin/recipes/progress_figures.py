"""Curves over the steps of trainings, read from what their runs wrote of every epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from drumlin.recipes.experiment import Ledger, finished_runs
from drumlin.recipes.pages import write_figures_page
from drumlin.report.contents import Array
from drumlin.report.figures.panels import EmptyPanel, Panel, PanelFigure
from drumlin.report.figures.progress import ProgressPanel
from drumlin.report.reading import read_run


class Curve(NamedTuple):
    """What a panel shows of every epoch: title, key in `training.jsonl` or the probe, name of the axis, whether it is a fraction."""

    title: str
    key: str
    label: str = "error"
    fraction: bool = True


_FIGURE_5 = (
    Curve("classifier, hold-out", "holdout_error"),
    Curve("5 nearest neighbours", "neighbour_error"),
)
_FIGURE_6 = (Curve("center loss", "center_loss", "½‖z − c‖²", fraction=False),)


def progress_panels(folders: Mapping[str, Path | None], curves: tuple[Curve, ...]) -> list[Panel]:
    """Return a panel a curve, with a line a training.

    Args:
        folders: training → its run; None for one that diverged, which has no line.
        curves: what is drawn.
    """
    epochs = {name: read_run(folder).epochs for name, folder in folders.items() if folder is not None}
    panels: list[Panel] = []
    for curve in curves:
        lines = {name: (_column(history, "steps"), _column(history, curve.key)) for name, history in epochs.items()}
        drawn = ProgressPanel(curve.title, lines, curve.label, curve.fraction) if lines else None
        panels.append(drawn or EmptyPanel(curve.title, "all trainings diverged"))
    return panels


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw I's Figs. 5 and 6 of every row's first seed into the folder `figures`, with a page that shows them; return the files.

    Raises:
        ValueError: a run that is not there, or not measured; a folder that cannot be written.
    """
    experiment = ledger.experiment
    runs = finished_runs(ledger, out)
    folders = {v.name.partition(",")[0]: runs[v.name, v.seeds[0]] for v in experiment.variants}
    drawn = [
        PanelFigure(
            f"{experiment.name}-figure-5",
            progress_panels(folders, _FIGURE_5),
            2,
            "Error over the steps, as in I Fig. 5, which has accuracy on test images: left of the classifier, right of the 5 "
            "nearest of 5,000 training features; both on the hold-out.",
        ),
        PanelFigure(
            f"{experiment.name}-figure-6",
            progress_panels(folders, _FIGURE_6),
            1,
            "The value of the center loss under every loss, as in I Fig. 6: held-out features about the means of 5,000 training "
            "features.",
        ),
    ]
    preface = "The first seed's model each; a curve has a point an epoch. A training that diverged has none."
    return write_figures_page("Features over the steps of the training", preface, drawn, ledger, figures)


def _column(history: tuple[Mapping[str, Any], ...], key: str) -> Array:
    """Return a number an epoch, NaN where there is none."""
    return np.array([{**epoch, **epoch.get("probe", {})}.get(key) for epoch in history], dtype=np.float64)
