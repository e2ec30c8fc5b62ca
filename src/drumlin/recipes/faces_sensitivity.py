"""How verification of faces depends on margin and likelihood weight: T Fig. 4 with GM, and the poster's figure with L-GM.

T's text has the accuracy without margin and that without likelihood; all else was drawn, and the drawings are lost. The poster
gives no ranges: T's are taken for it, and its own λ = 0.1 besides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from drumlin.recipes.experiment import Experiment
from drumlin.recipes.face_trainings import CASIA, DIGITS, LFW_VIEW_1, FaceTraining
from drumlin.recipes.face_verification import published, show, verified
from drumlin.recipes.scales import setting
from drumlin.recipes.variants import Variant
from drumlin.results.record import Scale
from drumlin.settings.heads import head_settings
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification

ABOUT = "Faces: accuracy on LFW's pairs against margin and likelihood weight (T Fig. 4, L's poster)"

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
        across = [(alpha, _LAMBDA[loss]) for alpha in self.alphas]
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
    return Experiment("faces-sensitivity", scale, tuple(_variants(grid)), measure, show=show)


def measure(subject: Subject) -> Iterator[TaskResult]:
    """Yield the error on other images of the people trained on, and how well pairs of strangers are told."""
    yield classification(subject)
    yield from verified(subject, plain=False)


def _variants(grid: Grid) -> Iterator[Variant]:
    for loss in _LAMBDA:
        for alpha, weight in grid.points(loss):
            candidates = grid.training.candidates(head_settings(loss, margin=alpha, likelihood_weight=weight))
            accuracy = _PUBLISHED.get((loss, alpha, weight)) if grid.training is CASIA else None
            also = {} if accuracy is None else published(accuracy, "l2, PCA 64", "T §4.3")
            yield Variant(f"{loss} alpha={alpha:g} lambda={weight:g}", candidates, (0,), also=also)
