"""FGSM in small steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from drumlin.attacks._iterated import check_epsilon, climb
from drumlin.attacks.base import Perturbation
from drumlin.attacks.gradient import GradientAttack
from drumlin.attacks.objective import Objective
from drumlin.heads._checks import above, whole


@dataclass(frozen=True, kw_only=True)
class BIM(GradientAttack):
    """Basic iterative method: x' ← clip(clip_ε(x' + step · sign ∂J/∂x'), 0, 1), from x.

    Raises:
        ValueError: epsilon outside [0, 1], step not above 0, or steps below 1.

    >>> from torch import nn
    >>> from drumlin.model import Classifier
    >>> linear = nn.Linear(1, 2, bias=False)
    >>> linear.weight.data = torch.tensor([[-1.0], [1.0]])
    >>> classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), linear), "1", channels=1)
    >>> x, y = torch.full((1, 1, 1, 1), 0.5), torch.tensor([1])
    >>> [float(BIM(epsilon=0.25, step=0.125, steps=steps)(classifier, x, y).x) for steps in (1, 2, 3)]
    [0.375, 0.25, 0.25]

    Source: Kurakin et al., Adversarial Examples in the Physical World, 2017, §2.2; T §4.4, which has 20 steps of 0.01 and gives ε for
    FGSM alone: 0.2 is as far as these steps can go.
    """

    name: ClassVar[str] = "bim"

    epsilon: float = 0.2
    """Largest change of a pixel, as a share of the range [0, 1]."""
    step: float = 0.01
    """Change of every pixel by one step."""
    steps: int = 20
    """Number of steps."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_epsilon(self.epsilon)
        above("step", self.step, 0)
        whole("steps", self.steps, 1)

    @property
    def max_change(self) -> float:
        """Budget: ε."""
        return self.epsilon

    def _perturb(self, objective: Objective, x: Tensor, generator: torch.Generator | None) -> Perturbation:
        return climb(objective, x, x, epsilon=self.epsilon, step=self.step, steps=self.steps)
