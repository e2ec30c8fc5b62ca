"""T's Fig. 2: distances between the means that GM ends with, as a matrix and as a histogram about the optimum."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from drumlin.recipes.experiment import Ledger, finished_runs
from drumlin.recipes.pages import write_figures_page
from drumlin.report.figures.distance_panels import DistanceHistogramPanel, DistancesPanel
from drumlin.report.figures.distances import Distances
from drumlin.report.figures.panels import EmptyPanel, Panel, PanelFigure
from drumlin.report.reading import read_run

LOSS = "gm"
"""Rows are drawn whose name is this, up to a comma."""


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw T's Fig. 2 of the first seed of every GM into the folder `figures`, with a page that shows it; return the files.

    Raises:
        ValueError: a run that is not there, or not measured; a folder that cannot be written.
    """
    experiment = ledger.experiment
    rows = tuple(v for v in experiment.variants if v.name.partition(",")[0] == LOSS)
    folders = finished_runs(Ledger(dataclasses.replace(experiment, variants=rows), ledger.path), out)
    panels = [panel for row in rows for panel in _pair(row.name, folders[row.name, row.seeds[0]])]
    caption = (
        "Distances between the means of GM's classes, as in T Fig. 2. Left each pair: at the optimum of the loss the ground's colour, "
        "nearer orange, further blue. Right how many pairs are how far apart. T has this of ResNet-32, on MNIST and on CIFAR-10."
    )
    figure = PanelFigure(f"{experiment.name}-distances", panels, 2, caption)
    return write_figures_page("Distances between means", "The first seed's model each.", [figure], ledger, figures)


def _pair(row: str, folder: Path | None) -> list[Panel]:
    if folder is None:
        return [EmptyPanel(row, "the training diverged")] * 2
    run = read_run(folder)
    distances = Distances.of(run)
    if distances is None or run.distances is None:
        raise ValueError(f"{folder} has no distances any more: remove its records, and it is measured again")
    pairs = run.distances[np.triu_indices(len(run.distances), 1)]
    optimum = distances.optimum
    known = "" if optimum is None else f", optimum {optimum:.2f}"
    title = f"{pairs.mean():.2f} ± {pairs.std():.2f}{known}"
    return [DistancesPanel(row, distances), DistanceHistogramPanel(title, pairs, optimum)]
