"""The loop that iterated attacks share: steps along the sign of the gradient, each brought back into the budget."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from drumlin.attacks.base import Perturbation
from drumlin.attacks.objective import Objective


def check_epsilon(epsilon: float) -> None:
    """Refuse a budget that is no share of the range [0, 1]."""
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon must lie in [0, 1], got {epsilon}")


def climb(
    objective: Objective,
    x: Float[Tensor, "n c h w"],
    start: Float[Tensor, "n c h w"],
    *,
    epsilon: float,
    step: float,
    steps: int,
) -> Perturbation:
    """Return where x' ← clip(clip_ε(x' + step · sign ∂J/∂x'), 0, 1) leads in `steps` steps from `start`.

    clip_ε brings each pixel back to within ε of the untouched image x.

    Source: Kurakin et al., Adversarial Examples in the Physical World, 2017, §2.2.
    """
    adversarial = start
    zero_gradient = torch.zeros_like(objective.y, dtype=torch.bool)
    for number in range(steps):
        gradient = objective.gradient(adversarial)
        if number == 0:
            zero_gradient = (gradient == 0).flatten(1).all(1)
        change = (adversarial + step * gradient.sign() - x).clamp_(-epsilon, epsilon)
        adversarial = (x + change).clamp_(0, 1)
    return Perturbation(adversarial, zero_gradient, torch.full_like(objective.y, steps))
