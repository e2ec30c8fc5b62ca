"""What attacks share that follow a gradient: they can keep a detector's score low, and most choose among losses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from drumlin.attacks.base import Attack
from drumlin.attacks.objective import Loss, Objective, check_loss
from drumlin.heads._checks import at_least


@dataclass(frozen=True, kw_only=True)
class AdaptiveAttack(Attack):
    """An attack that can be given a differentiable score, to be kept low at the same time.

    Raises:
        ValueError: a hyperparameter out of range.
    """

    takes_score: ClassVar[bool] = True

    score_weight: float = 1.0
    """What a unit of the score is worth, at least 0: of loss; for cw of squared distance; for cw-detector of logits."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("score_weight", self.score_weight, 0)

    def _aim(self, objective: Objective, x: Tensor) -> Objective:
        return dataclasses.replace(objective, score_weight=self.score_weight)


@dataclass(frozen=True, kw_only=True)
class GradientAttack(AdaptiveAttack):
    """An attack along the sign of the gradient of J = loss − w·score.

    Raises:
        ValueError: a hyperparameter out of range.
    """

    loss: Loss = "ce"
    """What is ascended for y, or descended for the target: ce, cross entropy without margin; margin, the difference of
    logits; head, the head's own loss with margin."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_loss(self.loss)

    def _aim(self, objective: Objective, x: Tensor) -> Objective:
        return dataclasses.replace(super()._aim(objective, x), loss=self.loss)
