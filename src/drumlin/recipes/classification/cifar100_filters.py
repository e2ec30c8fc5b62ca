"""CIFAR-100's error over the steps of the training, for L-Softmax's m and for several numbers of filters: S Figs. 6 and 7."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from drumlin.recipes.classification.cifar100 import WIDTHS, network, without_augmentation
from drumlin.recipes.experiment import Experiment, Ledger, finished_runs
from drumlin.recipes.feature_space import error_and_geometry
from drumlin.recipes.pages import write_figures_page
from drumlin.recipes.progress_figures import Curve, progress_panels
from drumlin.recipes.scales import CIFAR100, candidates, setting
from drumlin.recipes.variants import Variant
from drumlin.report.figures.panels import PanelFigure
from drumlin.results.record import Scale
from drumlin.settings.heads import head_settings

ABOUT = "CIFAR-100: error over the steps for L-Softmax with m from 1 to 4, and for numbers of filters (S Figs. 6 and 7)"

MARGINS = (1, 2, 3, 4)
SHARES = (1, 2, 4, 8)
"""What the filters of the widest network are divided by. S's numbers cannot be read from its text."""

_ERRORS = (Curve("training images", "train_error"), Curve("hold-out", "holdout_error"))


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: m from 1 to 4 on the widest network, and m = 4 on narrower ones; one seed, no augmentation."""
    return Experiment("cifar100-filters", scale, tuple(_rows(scale)), error_and_geometry, draw)


def _rows(scale: Scale) -> Iterator[Variant]:
    chosen = without_augmentation(setting(CIFAR100, scale))
    for margin, filters in dict.fromkeys((*_by_margin(scale), *_by_filters(scale))):
        head = head_settings("l-softmax", margin=margin)
        found = candidates(chosen, head, **network(scale, filters))
        yield Variant(_name(margin, filters), found, chosen.seeds[:1])


def _by_margin(scale: Scale) -> list[tuple[int, int]]:
    """Return m and filters of the curves of S Fig. 6."""
    return [(margin, WIDTHS[scale]) for margin in MARGINS]


def _by_filters(scale: Scale) -> list[tuple[int, int]]:
    """Return m and filters of the curves of S Fig. 7."""
    return [(MARGINS[-1], WIDTHS[scale] // share) for share in SHARES]


def _name(margin: int, filters: int) -> str:
    return f"m={margin}, {filters} filters"


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw both figures into the folder `figures`, with a page that shows them; return the files.

    Raises:
        ValueError: a run that is not there, or not measured; a folder that cannot be written.
    """
    scale = ledger.experiment.scale
    folders = {name: folder for (name, _), folder in finished_runs(ledger, out).items()}
    where = "Left on training images, counted as they are met, margin and all; right on the hold-out, where S has test images"
    by_margin = {f"m = {m}": folders[_name(m, filters)] for m, filters in _by_margin(scale)}
    by_filters = {f"{filters} filters": folders[_name(m, filters)] for m, filters in _by_filters(scale)}
    drawn = [
        PanelFigure(
            "s-figure-6",
            progress_panels(by_margin, _ERRORS),
            2,
            f"Error over the steps under L-Softmax, as in S Fig. 6. {where}; m = 1 is softmax.",
        ),
        PanelFigure(
            "s-figure-7",
            progress_panels(by_filters, _ERRORS),
            2,
            f"Error over the steps under L-Softmax with m = {MARGINS[-1]}, as in S Fig. 7, for networks with so many filters in the "
            f"first stage. {where}.",
        ),
    ]
    preface = "A curve has a point an epoch. A training that diverged has none."
    return write_figures_page("Error over the steps of the training", preface, drawn, ledger, figures)
