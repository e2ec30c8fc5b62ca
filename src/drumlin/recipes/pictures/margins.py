"""What margins do, drawn from the losses themselves: S Fig. 3, and L Fig. 2, which is T's Fig. 3. Nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from drumlin.functional import l_softmax_logits, mixture_terms
from drumlin.recipes.experiment import Experiment, Ledger
from drumlin.recipes.pages import write_figures_page
from drumlin.report.figures.margins import FunctionPanel, RegionPanel
from drumlin.report.figures.panels import PanelFigure
from drumlin.results.record import Scale
from drumlin.tasks.base import Subject, TaskResult

ABOUT = (
    "What margins do, drawn from the losses: ψ(θ) of L-Softmax (S Fig. 3), and L-GM's two classes (L Fig. 2, T Fig. 3)"
)

_MARGINS = (1, 2, 3, 4)
_ALPHAS = (0.0, 0.3, 1.0)
_MEANS = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
_REACH, _ACROSS = 3.0, 400


def experiment(scale: Scale) -> Experiment:
    """Return the experiment, which has no trainings at any scale."""
    return Experiment("margins", scale, (), _nothing, draw)


def _nothing(subject: Subject) -> Iterator[TaskResult]:
    yield from ()


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw both figures into the folder `figures`, with a page that shows them; return the files.

    Raises:
        ValueError: a folder that cannot be written.
    """
    degrees = torch.linspace(0, 180, 361, dtype=torch.float64)
    curves = {f"m = {m}" + (", softmax" if m == 1 else ""): psi(degrees, m).numpy() for m in _MARGINS}
    side = torch.linspace(-_REACH, _REACH, _ACROSS)
    drawn = [
        PanelFigure(
            "s-figure-3",
            [FunctionPanel("L-Softmax", degrees.numpy(), curves, ("θ, degrees", "ψ(θ)"))],
            1,
            "The true class's logit in units of ‖w‖ ‖z‖ by the angle θ between features and weights, as in S Fig. 3: the larger m, "
            "the smaller the angle that is asked for.",
        ),
        PanelFigure(
            "l-figure-2",
            [RegionPanel(f"α = {a:g}", side.numpy(), regions(side, a).numpy(), _MEANS.numpy()) for a in _ALPHAS],
            len(_ALPHAS),
            "Two classes of GM loss with Λ = I, a cross at each mean, as in L Fig. 2 and T Fig. 3: where a training sample of either "
            "class counts as right, which is where its posterior with the margin is above ½. In the white between no sample does. "
            "Without margin, and in a test always, the areas meet half-way.",
        ),
    ]
    return write_figures_page("What margins do", "Drawn from the losses; nothing is trained.", drawn, ledger, figures)


def psi(degrees: Tensor, margin: int) -> Tensor:
    """Return ψ(θ), the true class's logit under L-Softmax of features and weights of length 1.

    Args:
        degrees: θ (n,), 0 to 180.
        margin: m, a whole number of at least 1.

    Returns:
        (n,), in the type of `degrees`.

    >>> psi(torch.tensor([0.0, 180.0]), 2)
    tensor([ 1., -3.])
    """
    angle = torch.deg2rad(degrees)
    z = torch.stack([angle.cos(), angle.sin()], 1)
    logits = l_softmax_logits(z, torch.zeros(len(z), dtype=torch.int64), z.new_tensor([[1.0, 0.0]]), margin=margin)
    return logits[:, 0]


def regions(side: Tensor, alpha: float) -> Tensor:
    """Return where a sample of either class counts as right: where (1 + α) d_y < d_k, d half the squared distance to a mean.

    Args:
        side: (s,) coordinates of a square grid, the same along both axes.
        alpha: α ≥ 0, a factor.

    Returns:
        (2, s, s) booleans by class, row (the second coordinate) and column.

    >>> [area[1].tolist() for area in regions(torch.tensor([-1.0, 0.0, 1.0]), 1.0)]  # on the line through both means
    [[True, False, False], [False, False, True]]
    """
    y, x = torch.meshgrid(side, side, indexing="ij")
    grid = torch.stack([x.flatten(), y.flatten()], 1)
    found = []
    for k in range(len(_MEANS)):
        terms = mixture_terms(grid, torch.full((len(grid),), k), _MEANS, margin=alpha)
        found.append(terms.classification.reshape(len(side), len(side)) < math.log(2))
    return torch.stack(found)
