"""How verification of faces depends on margin and likelihood weight: T Fig. 4 with GM, and the poster's figure with L-GM.

T's text has the accuracy without margin and that without likelihood; all else was drawn, and the drawings are lost. The poster
gives no ranges: T's are taken for it, and its own λ = 0.1 besides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from drumlin.recipes.experiment import Experiment, Ledger, require_measured
from drumlin.recipes.faces.trainings import CASIA, DIGITS, LFW_VIEW_1, FaceTraining
from drumlin.recipes.faces.verification import by_score, lists, published, show, verified
from drumlin.recipes.pages import write_figures_page
from drumlin.recipes.scales import setting
from drumlin.recipes.variants import Variant
from drumlin.report.contents import Array
from drumlin.report.figures.panels import PanelFigure
from drumlin.report.figures.sensitivity import SensitivityPanel
from drumlin.results import Record, select
from drumlin.results.record import Scale
from drumlin.settings.heads import head_settings
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.verification import TASK

ABOUT = "Faces: accuracy on LFW's pairs against margin and likelihood weight (T Fig. 4, L's poster)"

_LABEL = "accuracy"
_ALPHA = 0.01
"""Of both figures, where λ varies."""
_LAMBDA = {"gm": 0.001, "lgm": 0.1}
"""Loss → λ where α varies: T's, the poster's."""

_PUBLISHED = {("gm", 0.0, 0.001): 98.80, ("gm", 0.01, 0.0): 98.88}
"""(loss, α, λ) → accuracy in percent, T §4.3; PCA to 64 components, then L2."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """What a scale decides: the training, and the values of α and of λ."""

    training: FaceTraining
    alphas: tuple[float, ...]
    lambdas: tuple[float, ...]

    def points(self, loss: str) -> list[tuple[float, float]]:
        """Return each (α, λ) of the two lines, once."""
        across = [(alpha, _LAMBDA[loss]) for alpha in (*self.alphas, _ALPHA)]
        along = [(_ALPHA, weight) for weight in self.lambdas]
        return list(dict.fromkeys([*across, *along]))


GRIDS: dict[Scale, Grid] = {
    "cpu": Grid(LFW_VIEW_1, (0.0, 0.001, 0.01, 0.1), (0.0, 0.0001, 0.001, 0.01)),
    "paper": Grid(CASIA, (0.0, 0.001, 0.003, 0.01, 0.03, 0.1), (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01)),
    "smoke": Grid(DIGITS, (0.0, 0.01), (0.0, 0.01)),
}
"""Scale → what is done."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: one training a point."""
    grid = setting(GRIDS, scale)
    return Experiment("faces-sensitivity", scale, tuple(_variants(grid)), measure, draw, show, needs=lists)


def measure(subject: Subject) -> Iterator[TaskResult]:
    """Yield the error on other images of the people trained on, and how well pairs of strangers are told."""
    yield classification(subject)
    yield from verified(subject, plain=False)


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw T Fig. 4 and the poster's figure from the records into the folder `figures`, with a page; return the files.

    Raises:
        ValueError: a row that is not measured; a folder that cannot be written.
    """
    grid, found = setting(GRIDS, ledger.experiment.scale), {}
    for variant in ledger.experiment.variants:
        require_measured(ledger, variant)
        records = select(ledger.measurements(variant), task=TASK, metric="accuracy")
        found[variant.name] = {by_score(record).anomaly or "": record for record in records}
    caption = (
        "Accuracy on pairs of people who were not trained on, with its 95% interval, by margin and by weight of the likelihood, as "
        "in T Fig. 4 (GM) and on L's poster (L-GM). One training a point; a point lies in two panels where both settings are those."
    )
    figure = PanelFigure("faces-sensitivity", panels(grid, found), 2, caption)
    preface = "A training that diverged has no point."
    return write_figures_page("Faces against margin and likelihood weight", preface, [figure], ledger, figures)


def panels(grid: Grid, found: Mapping[str, Mapping[str, Record]]) -> list[SensitivityPanel]:
    """Return two panels a loss, over α and over λ.

    Args:
        grid: what was done.
        found: row → score → record of the accuracy; none of a training that diverged.
    """
    scores = list(dict.fromkeys(score for row in found.values() for score in row))
    made = []
    for loss, weight in _LAMBDA.items():
        title = {"gm": "GM", "lgm": "L-GM"}[loss]
        alphas, lambdas = sorted({*grid.alphas, _ALPHA}), sorted({*grid.lambdas, weight})
        by_alpha = _curves([found[_name(loss, alpha, weight)] for alpha in alphas], scores)
        by_lambda = _curves([found[_name(loss, _ALPHA, each)] for each in lambdas], scores)
        made += [
            SensitivityPanel(f"{title}, λ = {weight:g}", alphas, by_alpha, "α", _LABEL),
            SensitivityPanel(f"{title}, α = {_ALPHA:g}", lambdas, by_lambda, "λ", _LABEL),
        ]
    return made


def _curves(rows: Sequence[Mapping[str, Record]], scores: Sequence[str]) -> dict[str, Array]:
    """Return score → (n, 3) accuracy and interval of the rows."""
    return {
        score: np.array([_interval(row.get(score)) for row in rows], dtype=np.float64).reshape(-1, 3)
        for score in scores
    }


def _interval(record: Record | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if record is None else (record.value, record.ci_low, record.ci_high)


def _name(loss: str, alpha: float, weight: float) -> str:
    return f"{loss} alpha={alpha:g} lambda={weight:g}"


def _variants(grid: Grid) -> Iterator[Variant]:
    for loss in _LAMBDA:
        for alpha, weight in grid.points(loss):
            candidates = grid.training.candidates(head_settings(loss, margin=alpha, likelihood_weight=weight))
            accuracy = _PUBLISHED.get((loss, alpha, weight)) if grid.training is CASIA else None
            also = {} if accuracy is None else published(accuracy, "l2, PCA 64", "T §4.3")
            yield Variant(_name(loss, alpha, weight), candidates, (0,), also=also)
