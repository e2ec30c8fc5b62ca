"""I's Figs. 5 and 6: errors of classifier and neighbours, and the center loss, over the steps of the training."""

from __future__ import annotations

from pathlib import Path

from drumlin.recipes.experiment import Ledger, finished_runs
from drumlin.recipes.pages import write_figures_page
from drumlin.recipes.progress_figures import Curve, progress_panels
from drumlin.report.figures.panels import PanelFigure

_FIGURE_5 = (
    Curve("classifier, hold-out", "holdout_error"),
    Curve("5 nearest neighbours", "neighbour_error"),
)
_FIGURE_6 = (Curve("center loss", "center_loss", "½‖z − c‖²", fraction=False),)


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
