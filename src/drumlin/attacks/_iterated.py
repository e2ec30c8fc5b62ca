"""The loop that iterated attacks share: steps along the sign of the gradient, each brought back into the budget."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from drumlin.attacks._streams import Streams
from drumlin.attacks.base import Perturbation
from drumlin.attacks.objective import Objective
from drumlin.heads._checks import above, whole


def check_epsilon(epsilon: float) -> None:
    """Refuse a budget that is no share of the range [0, 1]."""
    if not 0 <= epsilon <= 1:
        raise ValueError(f"epsilon must lie in [0, 1], got {epsilon}")


def check_walk(epsilon: float, step: float | None, steps: int, restarts: int) -> None:
    """Refuse a budget, a step or numbers with which nothing can be walked through the ε ball."""
    check_epsilon(epsilon)
    if step is not None:
        above("step", step, 0)
    whole("steps", steps, 1)
    whole("restarts", restarts, 1)


def random_start(x: Float[Tensor, "n c h w"], epsilon: float, streams: Streams) -> Float[Tensor, "n c h w"]:
    """Return images drawn uniformly from the ε ball around each image."""
    return (x + epsilon * (2 * streams.uniform() - 1)).clamp_(0, 1)


def step_size(epsilon: float, step: float | None, steps: int) -> float:
    """Return the step; by default 2.5 ε / steps, which leads from anywhere in the ball to anywhere in it."""
    return 2.5 * epsilon / steps if step is None else step


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
