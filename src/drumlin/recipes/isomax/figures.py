"""I's Figs. 5 and 6: errors of classifier and neighbours, and the center loss, over the steps of the training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from drumlin._history import interval
from drumlin.recipes.experiment import Ledger, finished_runs
from drumlin.recipes.pages import write_figures_page
from drumlin.recipes.progress_figures import Curve, progress_panels
from drumlin.report.figures.panels import PanelFigure
from drumlin.report.reading import read_run
from drumlin.settings.run import RunSettings
from drumlin.tasks.curves import nearness
from drumlin.training import Probe

_FIGURE_5 = (
    Curve("classifier, hold-out", "holdout_error"),
    Curve("5 nearest neighbours", "neighbour_error"),
)
_FIGURE_6 = (Curve("center loss", "center_loss", "½‖z − c‖²", fraction=False),)

TITLE = "Features over the steps of the training"
"""The heading of these figures' pages."""


def preface(folders: Mapping[str, Path | None]) -> str:
    """Return what the page of these runs begins with: how often they were measured, which runs of an older version were less."""
    found = {interval(read_run(folder).epochs) for folder in folders.values() if folder is not None}
    every = sorted(steps for steps in found if steps is not None)
    points = "a point an epoch" if not every else f"a point every {every[0]} steps and at the end of every epoch"
    if len(found) > 1:
        points = f"{points}, some fewer"
    return f"The first seed's model each; a curve has {points}. A training that diverged has none."


def near(settings: RunSettings, folder: Path) -> Probe:
    """Return what the figures are drawn of, whatever the training."""
    return nearness


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw I's Figs. 5 and 6 of every row's first seed into the folder `figures`, with a page that shows them; return the files.

    Raises:
        ValueError: a run that is not there, or not measured; a folder that cannot be written.
    """
    folders = first_seeds(ledger, out)
    drawn = figures_5_and_6(ledger.experiment.name, folders)
    return write_figures_page(TITLE, preface(folders), drawn, ledger, figures)


def first_seeds(ledger: Ledger, out: Path, group: str = "") -> dict[str, Path | None]:
    """Return the run of the first seed of every row whose name ends so, by the row's loss; None where it diverged.

    Raises:
        ValueError: a run that is not there, or not measured.
    """
    rows = tuple(variant for variant in ledger.experiment.variants if variant.name.endswith(group))
    runs = finished_runs(Ledger(dataclasses.replace(ledger.experiment, variants=rows), ledger.path), out)
    return {row.name.partition(",")[0]: runs[row.name, row.seeds[0]] for row in rows}


def figures_5_and_6(recipe: str, folders: Mapping[str, Path | None]) -> list[PanelFigure]:
    """Return I's Figs. 5 and 6 of runs by their loss, whose probe was `near` or more."""
    return [
        PanelFigure(
            f"{recipe}-figure-5",
            progress_panels(folders, _FIGURE_5),
            2,
            "Error over the steps, as in I Fig. 5, which has accuracy on test images: left of the classifier, right of the 5 "
            "nearest of 5,000 training features; both on the hold-out.",
        ),
        PanelFigure(
            f"{recipe}-figure-6",
            progress_panels(folders, _FIGURE_6),
            1,
            "The value of the center loss under every loss, as in I Fig. 6: held-out features about the means of 5,000 training "
            "features.",
        ),
    ]
