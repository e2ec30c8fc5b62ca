"""Projected gradient ascent from random starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from drumlin.attacks._iterated import check_walk, climb, random_start, step_size
from drumlin.attacks._streams import Streams
from drumlin.attacks.base import Perturbation
from drumlin.attacks.gradient import GradientAttack
from drumlin.attacks.objective import Objective


@dataclass(frozen=True, kw_only=True)
class PGD(GradientAttack):
    """Projected gradient descent: BIM from starts drawn uniformly from the ε ball; of all restarts the best end counts.

    The best is chosen image by image: one that succeeds before one that doesn't, then the higher J.

    Raises:
        ValueError: epsilon outside [0, 1], step not above 0, or steps or restarts below 1.

    >>> from torch import nn
    >>> from drumlin.model import Classifier
    >>> linear = nn.Linear(1, 2, bias=False)
    >>> linear.weight.data = torch.tensor([[-1.0], [1.0]])
    >>> classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), linear), "1", channels=1)
    >>> result = PGD(epsilon=0.25, restarts=2)(classifier, torch.full((1, 1, 1, 1), 0.5), torch.tensor([1]))
    >>> float(result.x), int(result.iterations)
    (0.25, 40)

    Source: Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018, §2.1.
    """

    name: ClassVar[str] = "pgd"

    epsilon: float = 0.1
    """Largest change of a pixel, as a share of the range [0, 1]."""
    step: float | None = None
    """Change of every pixel by one step; None: 2.5 ε / steps, which leads from anywhere in the ball to anywhere in it."""
    steps: int = 20
    """Number of steps of a restart."""
    restarts: int = 1
    """Number of starts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_walk(self.epsilon, self.step, self.steps, self.restarts)

    @property
    def max_change(self) -> float:
        """Budget: ε."""
        return self.epsilon

    def _perturb(self, objective: Objective, x: Tensor, generator: torch.Generator | None) -> Perturbation:
        streams = Streams(x, generator)
        step = step_size(self.epsilon, self.step, self.steps)
        best = x
        best_reached = torch.zeros_like(objective.y, dtype=torch.bool)
        best_value = x.new_full((len(x),), -torch.inf)
        zero_gradient = best_reached
        for restart in range(self.restarts):
            start = random_start(x, self.epsilon, streams)
            end = climb(objective, x, start, epsilon=self.epsilon, step=step, steps=self.steps)
            with torch.no_grad():
                features = objective.features(end.x)
                reached, value = objective.reached_by(features), objective.value(features).to(x.dtype)
            better = (reached & ~best_reached) | ((reached == best_reached) & (value > best_value))
            best = torch.where(better[:, None, None, None], end.x, best)
            best_value = torch.where(better, value, best_value)
            best_reached = best_reached | reached
            if restart == 0:
                zero_gradient = end.zero_gradient
        return Perturbation(best, zero_gradient, torch.full_like(objective.y, self.restarts * self.steps))
