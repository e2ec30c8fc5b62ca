"""The search that Carlini and Wagner's attacks share: the least distortion that does it, by gradients and bisection.

minimise ‖x'−x‖² + cost(x') + c · penalty(x'), where the penalty is 0 if and only if the attack succeeds. c is searched for each image:
ten times as much until one succeeds, then by bisection. Images that make no progress at their c leave the batch until the next
c, so that the others are computed faster.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from torch import Tensor

from drumlin.attacks._descent import Descent, Verdict
from drumlin.attacks.base import Perturbation
from drumlin.attacks.gradient import AdaptiveAttack
from drumlin.attacks.objective import Objective
from drumlin.features import FeatureSet
from drumlin.heads._checks import above, at_least, whole


@dataclass(frozen=True, kw_only=True)
class LeastDistortion(AdaptiveAttack):
    """An attack that looks for the least L2 distortion; where it finds none that succeeds, the image stays as it is.

    Raises:
        ValueError: a hyperparameter out of range.
    """

    kappa: float = 0.0
    """Confidence κ: by how much the logit of the class that is reached must exceed the others, or the true one's if untargeted."""
    lr: float = 0.02
    """Adam's, in tanh space: w goes no farther than lr × steps, and from black or white to grey it is 3.8."""
    steps: int = 200
    """Steps of Adam for each c, at most."""
    binary_search_steps: int = 5
    """Number of values of c."""
    initial_const: float = 1.0
    """The first c."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("kappa", self.kappa, 0)
        above("lr", self.lr, 0)
        whole("steps", self.steps, 1)
        whole("binary_search_steps", self.binary_search_steps, 1)
        above("initial_const", self.initial_const, 0)

    @abstractmethod
    def _judge(self, objective: Objective, features: FeatureSet) -> Verdict:
        """Return penalty, cost and success of features, with their graph if they have one."""

    @final
    def _perturb(self, objective: Objective, x: Tensor, generator: torch.Generator | None) -> Perturbation:
        with torch.no_grad():
            untouched = self._judge_images(objective, x)
        cost = torch.zeros_like(untouched.penalty) if untouched.cost is None else untouched.cost
        best, least = x.clone(), torch.where(untouched.reached, cost, torch.inf)
        # What succeeds untouched is done, unless something beside its distance can be made less.
        to_do = ~untouched.reached if untouched.cost is None else torch.ones_like(untouched.reached)
        rows = to_do.nonzero()[:, 0]
        const = torch.full_like(cost, self.initial_const)
        lower, upper = torch.zeros_like(const), torch.full_like(const, torch.inf)
        zero_gradient, iterations = torch.zeros_like(to_do), torch.zeros_like(objective.y)
        for number in range(self.binary_search_steps if len(rows) else 0):
            descent = Descent(x[rows], const[rows], self.lr)
            found = torch.zeros_like(to_do)
            found[rows] = self._descend(objective.subset(rows), descent, best, least, rows)
            iterations[rows] += descent.iterations
            if number == 0:
                zero_gradient[rows] = descent.zero_gradient
            upper, lower = torch.where(found, const, upper), torch.where(found, lower, const)
            const = torch.where(upper.isinf(), 10 * const, (lower + upper) / 2)
        # Once more, all together: with other images in the batch a logit can be rounded another way.
        with torch.no_grad():
            holds = least.isfinite() & self._succeeded(objective, best)
        return Perturbation(torch.where(holds[:, None, None, None], best, x), zero_gradient, iterations)

    def _judge_images(self, objective: Objective, x: Tensor) -> Verdict:
        return self._judge(objective, objective.features(x))

    def _descend(self, objective: Objective, descent: Descent, best: Tensor, least: Tensor, rows: Tensor) -> Tensor:
        """Go down, put what costs less than `least` into the `rows` of `best`, and return which of them succeeded."""
        found = torch.zeros_like(rows, dtype=torch.bool)
        check = -(-self.steps // 10)
        current = objective
        for step in range(self.steps):
            image, cost, reached = descent.step(partial(self._judge_images, current))
            found[descent.active] |= reached
            better = reached & (cost < least[rows[descent.active]])
            places = rows[descent.active[better]]
            best[places], least[places] = image[better], cost[better]
            if step % check == 0 and descent.drop_stalled():
                if len(descent.active) == 0:
                    break
                current = objective.subset(descent.active)
        return found


def lead_of(objective: Objective, features: FeatureSet, kappa: float) -> tuple[Tensor, Tensor]:
    """Return f = (κ − lead)₊ (N,), and whether the lead of the logits exceeds κ by more than they are rounded.

    The lead is the target's logit less the best other one or, untargeted, the best other one less that of y.

    Source: Carlini & Wagner, Towards Evaluating the Robustness of Neural Networks, 2017, §V.A, f₆ and eq. 8, up to the constant κ.
    """
    lead = objective.classification(features)
    return (kappa - lead).clamp_min(0), lead > kappa + rounding(features.logits.abs().amax(1))


def rounding(size: Tensor) -> Tensor:
    """Return by how much values of this size may differ between two batches of the same images (N,)."""
    return 32 * torch.finfo(size.dtype).eps * size.detach()
