"""One step along the sign of the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from drumlin.attacks._iterated import check_epsilon
from drumlin.attacks.base import Perturbation
from drumlin.attacks.gradient import GradientAttack
from drumlin.attacks.objective import Objective


@dataclass(frozen=True, kw_only=True)
class FGSM(GradientAttack):
    """Fast gradient sign method: x + ε sign(∂J/∂x), clipped to [0, 1]; J is the loss of y, or less that of the target.

    Raises:
        ValueError: epsilon outside [0, 1].

    >>> from torch import nn
    >>> from drumlin.model import Classifier
    >>> linear = nn.Linear(1, 2, bias=False)
    >>> linear.weight.data = torch.tensor([[-1.0], [1.0]])
    >>> classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), linear), "1", channels=1)
    >>> result = FGSM(epsilon=0.25)(classifier, torch.full((1, 1, 1, 1), 0.5), torch.tensor([1]))
    >>> float(result.x), float(result.l2), bool(result.success)
    (0.25, 0.25, False)

    Source: Goodfellow et al., Explaining and Harnessing Adversarial Examples, ICLR 2015; L §4.3, I eq. 8, T §4.4 (ε = 0.1).
    """

    name: ClassVar[str] = "fgsm"

    epsilon: float = 0.1
    """Change of every pixel, as a share of the range [0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_epsilon(self.epsilon)

    @property
    def max_change(self) -> float:
        """Budget: ε."""
        return self.epsilon

    def _perturb(self, objective: Objective, x: Tensor, generator: torch.Generator | None) -> Perturbation:
        gradient = objective.gradient(x)
        zero_gradient = (gradient == 0).flatten(1).all(1)
        return Perturbation(x + self.epsilon * gradient.sign(), zero_gradient, torch.ones_like(objective.y))
