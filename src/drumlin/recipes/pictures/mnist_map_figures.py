"""The figures of mnist-maps, drawn from what its runs have stored: PNG, SVG, and a page in Markdown that says what is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drumlin.recipes.experiment import Ledger, finished_runs
from drumlin.recipes.pages import write_figures_page
from drumlin.report import write_report
from drumlin.report.contents import Array, Density, Flags, Points, RunContents
from drumlin.report.figures.panels import DensityPanel, EmptyPanel, Panel, PanelFigure, PointsPanel
from drumlin.report.reading import read_run
from drumlin.settings.run import RunSettings
from drumlin.tasks.base import stored_arrays
from drumlin.tasks.feature_map import TEST, TRAINING

ATTACKED = "fgsm(epsilon=0.1)"
CENTER, ISOTROPIC = "center", "isotropic alpha=0.05"
SURFACE = "k-density"
"""Arrays of a run: K-density on the grid of its map."""
DETECTORS = ("mixture-density", "k-density")
_SIDE_BY_SIDE = ("softmax", CENTER, "l-softmax m=2", "lgm", "gm")
_MOST_CROSSES = 60
_PREFACE = (
    "A panel's title has the error on all test images; every panel has its own scale. Where there are more images than are drawn, "
    "chance has chosen."
)
_SAMPLE = 1000
"""I draws so many test images."""


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw all figures into the folder `figures`, and one page of the main runs side by side; return the files.

    Raises:
        ValueError: a run that is not there, or not measured; a folder that cannot be written.
    """
    folders = finished_runs(ledger, out)
    runs = {key: None if folder is None else read_run(folder) for key, folder in folders.items()}
    settings = next(iter(ledger.experiment.variants[0].candidates.values()))
    drawn = [make(_Maps(runs, settings)) for make in FIGURES]
    written = write_figures_page("Feature spaces in two dimensions", _PREFACE, drawn, ledger, figures)
    chosen = [folder for name in _SIDE_BY_SIDE if (folder := folders[name, 0]) is not None]
    return [*written, *([write_report(chosen, out / "report.html")] if chosen else [])]


@dataclass(frozen=True)
class _Maps:
    """The runs' maps as panels: (row, seed) → contents, None where the training diverged; and the settings all share."""

    runs: Mapping[tuple[str, int], RunContents | None]
    settings: RunSettings

    def panel(self, title: str, row: str, name: str = TRAINING, *, seed: int = 0, most: int | None = None) -> Panel:
        """Return the features of the set `name`, at most so many of them, with the test error in the title."""
        run = self.runs[row, seed]
        if run is None:
            return EmptyPanel(title, "the training diverged")
        points = _set(run, name)
        rows = np.flatnonzero(points.drawn)
        if most is not None and most < len(rows):
            rows = np.random.default_rng(0).choice(rows, most, replace=False)
        return PointsPanel(_titled(title, run), points.views["plane"][rows], points.label[rows], run.class_names)

    def density(self, title: str, row: str, detector: str) -> Panel:
        """Return the density that a detector goes by, and on it attacked images that have changed their class."""
        run = self.runs[row, 0]
        if run is None:
            return EmptyPanel(title, "the training diverged")
        if detector not in run.scores:
            return EmptyPanel(title, "each class is a single point")
        density, label = _DENSITIES[detector](run)
        attacked = _set(run, ATTACKED)
        crosses = attacked.views["plane"][_changed(run)][:_MOST_CROSSES]
        training = _set(run, TRAINING)
        points = np.concatenate([training.views["plane"][training.drawn], crosses])
        return DensityPanel(f"{title}\n× attacked, class changed", density, label, points, crosses)

    def found(self, row: str, detector: str) -> str:
        """Say how many attacked images have a lower density than nearly all others."""
        run = self.runs[row, 0]
        if run is None:
            return "Its training diverged."
        if not _changed(run).any() or detector not in run.scores:
            return "There is no such image, or no density."
        scores = run.scores[detector]
        values = scores[ATTACKED][_set(run, ATTACKED).index[_changed(run)]]
        share = float((values > np.quantile(scores[TEST], 0.95)).mean())
        return (
            f"Of {len(values)} such images {100 * share:.0f}% have a lower density than 95% of all test images have; "
            f"at most {_MOST_CROSSES} are drawn."
        )

    @property
    def trained(self) -> str:
        """What all models have in common."""
        training = self.settings.training
        return (
            f"{self.settings.backbone.name} on {self.settings.data.name}, {training.epochs} "
            f"{'epoch' if training.epochs == 1 else 'epochs'}, learning rate {training.optimizer.lr:g}"
        )


def _set(run: RunContents, name: str) -> Points:
    for points in run.map.sets if run.map is not None else ():
        if points.name == name:
            return points
    raise _incomplete(run, f"map of {name}")


def _incomplete(run: RunContents, missing: str) -> ValueError:
    return ValueError(f"{run.folder} has no {missing}: remove its records, and it is measured again")


def _changed(run: RunContents) -> Flags:
    """Return which attacked images of the map are drawn, and are wrong where the untouched image was right."""
    test, attacked = _set(run, TEST), _set(run, ATTACKED)
    right = test.index[test.prediction == test.label]
    wrong = attacked.prediction != attacked.label
    return np.asarray(attacked.drawn & wrong & np.isin(attacked.index, right))


def _titled(title: str, run: RunContents) -> str:
    error = run.value(task="classification", metric="error")
    return title if error is None or error.value is None else f"{title}\ntest error {100 * error.value:.2f}%"


def _likelihood(run: RunContents) -> tuple[Density, str]:
    if run.map is None or run.map.density is None:
        raise _incomplete(run, "density on its map")
    return run.map.density, "log p(z) (nats)"


def _k_density(run: RunContents) -> tuple[Density, str]:
    arrays = {name: tensor.numpy() for name, tensor in stored_arrays(run.folder, SURFACE).items()}
    if not arrays:
        raise _incomplete(run, "K-density of its map")
    return Density(arrays["x"], arrays["y"], arrays["log"]), "log K-density (nats)"


_DENSITIES: dict[str, Callable[[RunContents], tuple[Density, str]]] = {
    "mixture-density": _likelihood,
    "k-density": _k_density,
}

_FIRST = {"Softmax": "softmax", "Center loss": CENTER, "L-Softmax, m = 2": "l-softmax m=2"}


def _l_figure_1(maps: _Maps) -> PanelFigure:
    rows = _FIRST | {"L-GM, α = 0": "lgm alpha=0", "L-GM, α = 1": "lgm"}
    panels = [maps.panel(title, row) for title, row in rows.items()]
    caption = (
        f"Features of {_number(panels)} training images in two dimensions, as in L Fig. 1 ({maps.trained}). (f) is the "
        "likelihood that the model of (e) has learned, brighter where it is higher, with test images that FGSM (ε = 0.1) made "
        "it take for another class. " + maps.found("lgm", "mixture-density")
    )
    heat = maps.density("Likelihood of (e)", "lgm", "mixture-density")
    return PanelFigure("l-figure-1", [*panels, heat], 3, caption)


def _t_figure_1(maps: _Maps) -> PanelFigure:
    rows = _FIRST | {"GM, α = 0": "gm alpha=0", "GM, α = 1": "gm"}
    panels = [maps.panel(title, row) for title, row in rows.items()]
    caption = (
        f"Features of {_number(panels)} training images in two dimensions, as in T Fig. 1 ({maps.trained}). (f) is the "
        "kernel density of the training features in (e), of the class that is predicted at each place, with test images that "
        "FGSM (ε = 0.1) made the model take for another class. " + maps.found("gm", "k-density")
    )
    return PanelFigure("t-figure-1", [*panels, maps.density("K-density of (e)", "gm", "k-density")], 3, caption)


def _i_figure_2(maps: _Maps) -> PanelFigure:
    softmax = maps.panel("Softmax", "softmax", TEST, most=_SAMPLE)
    panels = [softmax, _normalised(softmax), maps.panel("Isomax, α = 0.05", ISOTROPIC, TEST, most=_SAMPLE)]
    caption = (
        f"Features of {_number(panels)} test images, as in I Fig. 2 ({maps.trained}): (a) softmax, under "
        "which I finds rays; (b) the same divided by their lengths; (c) isomax, where I has a drawing of what it is meant to do."
    )
    return PanelFigure("i-figure-2", panels, 3, caption)


def _normalised(panel: Panel) -> Panel:
    if not isinstance(panel, PointsPanel):
        return panel
    title = panel.title.replace("Softmax", "Softmax, normalised")
    titles = ("feature 1 / length", "feature 2 / length")
    return PointsPanel(title, _on_circle(panel.points), panel.classes, panel.class_names, titles)


def _on_circle(points: Array) -> Array:
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / np.maximum(lengths, np.finfo(np.float64).tiny))


def _i_figure_3(maps: _Maps) -> PanelFigure:
    alphas = (0.005, 0.05, 0.5)
    panels = [
        maps.panel(f"Isomax, α = {alpha:g}", f"isotropic alpha={alpha:g}", TEST, most=_SAMPLE) for alpha in alphas
    ]
    batch = maps.settings.training.batch_size or 1
    printed = ", ".join(f"{alpha * batch:g}" for alpha in alphas)
    caption = (
        f"Features of {_number(panels)} test images under isomax, as in I Fig. 3 ({maps.trained}). Here α "
        f"stands beside the mean of cross entropy over the batch of {batch}. In I eq. 4 cross entropy is a sum; taken at its "
        f"word these α would be {printed} there. I gives 0.005 and 0.05, and of the large one only that it is above 0.1."
    )
    return PanelFigure("i-figure-3", panels, 3, caption)


def _i_figure_4(maps: _Maps) -> PanelFigure:
    rows = {"Isomax": ISOTROPIC, "Center loss": CENTER}
    panels = [
        maps.panel(f"{title}, seed {seed}", row, TEST, seed=seed, most=_SAMPLE)
        for title, row in rows.items()
        for seed in (0, 1)
    ]
    caption = (
        f"Features of {_number(panels)} test images from two trainings each, as in I Fig. 4 ({maps.trained}): isomax "
        "(α = 0.05) above, center loss below. I finds that the first end alike and the second do not."
    )
    return PanelFigure("i-figure-4", panels, 2, caption)


def _s_margins(maps: _Maps) -> PanelFigure:
    panels = [
        maps.panel(f"m = {m}, {name} images", f"l-softmax m={m}", name)
        for name in (TRAINING, TEST)
        for m in (1, 2, 3, 4)
    ]
    caption = (
        f"Features under L-Softmax of {_number(panels[:4])} training images (above) and {_number(panels[4:])} test images (below), "
        f"as in S ({maps.trained})."
    )
    return PanelFigure("s-margins", panels, 4, caption)


def _number(panels: Sequence[Panel]) -> str:
    """Return how many points panels have, drawn by chance where there were more."""
    return f"{max((len(panel.points) for panel in panels if isinstance(panel, PointsPanel)), default=0):,}"


FIGURES: tuple[Callable[[_Maps], PanelFigure], ...] = (
    _l_figure_1,
    _t_figure_1,
    _i_figure_2,
    _i_figure_3,
    _i_figure_4,
    _s_margins,
)
