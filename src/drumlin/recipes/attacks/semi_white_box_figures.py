"""T's Fig. 5: histograms of K-density of untouched and attacked images, a column a loss and a row an attack."""

from __future__ import annotations

from pathlib import Path

from drumlin.recipes.attacks.semi_white_box import SCORES
from drumlin.recipes.experiment import Ledger, finished_runs
from drumlin.recipes.pages import write_figures_page
from drumlin.report.figures.curves import HistogramPanel
from drumlin.report.figures.panels import EmptyPanel, Panel, PanelFigure
from drumlin.tasks.base import stored_arrays

ATTACKS = ("fgsm", "bim", "bim-0.2", "cw")
LOSSES = {"softmax": "Softmax", "gm": "GM"}
_LABEL = "log K-density"


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw T's Fig. 5 of the first seed's models into the folder `figures`, with a page that shows it; return the files.

    Raises:
        ValueError: a run that is not there, or not measured; a folder that cannot be written.
    """
    experiment = ledger.experiment
    runs = finished_runs(ledger, out)
    folders = {
        LOSSES[loss]: runs[variant.name, variant.seeds[0]]
        for variant in experiment.variants
        if (loss := variant.name.partition(",")[0]) in LOSSES
    }
    attacks = [attack for attack in ATTACKS if any(attack in _attacked(folder) for folder in folders.values())]
    panels = [_panel(f"{title}, {a}", folder, a) for a in attacks for title, folder in folders.items()]
    caption = (
        "Log K-density of features given the predicted class: of test images as they are, and of the same images attacked, "
        "whether the attack reached its target or not. T Fig. 5 has this of CIFAR-10."
    )
    figure = PanelFigure(f"{experiment.name}-k-density", panels, len(folders), caption)
    title = "K-density of attacked images"
    return write_figures_page(title, "One model a loss, the first seed's.", [figure], ledger, figures)


def _attacked(folder: Path | None) -> set[str]:
    """Return the names of the sets of which a run has scores."""
    if folder is None:
        return set()
    names = {name.partition("/")[2] for name in stored_arrays(folder, SCORES) if name.startswith("k-density/")}
    if not names:
        raise ValueError(f"{folder} has no scores any more: remove its records, and it is measured again")
    return names


def _panel(title: str, folder: Path | None, attack: str) -> Panel:
    if folder is None:
        return EmptyPanel(title, "the training diverged")
    scores = stored_arrays(folder, SCORES)
    normal, attacked = (-scores[f"k-density/{name}"].double().numpy() for name in ("test", attack))
    return HistogramPanel(title, {"untouched": normal[: len(attacked)], "attacked": attacked}, _LABEL)
