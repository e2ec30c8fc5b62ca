"""Adam in tanh space, many images at once, each with a loss of its own and for as long as it makes progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from drumlin.attacks.objective import image_gradient

_INSIDE = 0.999
"""Images are drawn together by so much around ½ before the atanh, which is infinite at 0 and 1. Nearer to 1, black and white
pixels hardly move for the first hundreds of steps (the authors' 0.999999 starts them at w = ±7.25, where an image of such pixels alone
makes no progress to be seen); this moves them by 0.0005 at most."""
_PROGRESS = 1e-4
"""An image makes progress if its least loss has fallen by this share since the last time it was looked at."""
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class Verdict(NamedTuple):
    """What is made of N images, a value an image.

    Attributes:
        penalty: at least 0, and 0 where the attack succeeds; weighted by c.
        cost: what is minimised beside the squared distance; None if nothing is.
        reached: whether the attack succeeds.
    """

    penalty: Tensor
    cost: Tensor | None
    reached: Tensor


class Descent:
    """Minimises ‖x'−x‖² + cost(x') + c · penalty(x') over w, x' = (tanh w + 1) / 2, which keeps x' in (0, 1).

    Gradients go through the network by autograd, and by hand through the rest, which is most of the operations and little of
    the work.

    Args:
        x: images (N, C, H, W) in [0, 1].
        const: c of each (N,).
        lr: Adam's.

    Attributes:
        active: places (M,), among the N images, of those that are still going.
        iterations: gradients computed for each image (N,).
        zero_gradient: whether the first gradient of c · penalty + cost by the image was exactly zero (N,).
    """

    def __init__(self, x: Tensor, const: Tensor, lr: float) -> None:
        self.active = torch.arange(len(x), device=x.device)
        self.iterations = torch.zeros_like(self.active)
        self.zero_gradient = torch.zeros_like(self.active, dtype=torch.bool)
        self._lr, self._count = lr, 0
        start = (_INSIDE * (2 * x - 1)).atanh()
        # What each image still going has, a row an image. The loss begins at distance 0, so distances are from where w starts.
        self._rows = {
            "x": x,
            "const": const,
            "w": start,
            "start": _image(start.tanh()),
            "mean": torch.zeros_like(x),
            "square": torch.zeros_like(x),
            "lowest": torch.full_like(const, torch.inf),
            "checked": torch.full_like(const, torch.inf),
        }

    def step(self, judge: Callable[[Tensor], Verdict]) -> tuple[Tensor, Tensor, Tensor]:
        """Judge the active images where they are, and take a step; return these images, ‖x'−x‖² + cost, and which succeed."""
        own = self._rows
        tangent = own["w"].tanh()
        image = _image(tangent)

        def weighted(leaf: Tensor) -> tuple[Tensor, Verdict]:
            verdict = judge(leaf)
            value = own["const"] * verdict.penalty
            return (value if verdict.cost is None else value + verdict.cost), verdict

        gradient, verdict = image_gradient(image, weighted)
        self.iterations[self.active] += 1
        if self._count == 0:
            self.zero_gradient = (gradient == 0).flatten(1).all(1)
        with torch.no_grad():
            cost = 0 if verdict.cost is None else verdict.cost
            change = image - own["start"]
            loss = change.square().flatten(1).sum(1) + own["const"] * verdict.penalty + cost
            own["lowest"] = torch.minimum(own["lowest"], loss)
            self._adam((gradient + 2 * change) * (1 - tangent.square()) / 2)
            return image, (image - own["x"]).square().flatten(1).sum(1) + cost, verdict.reached

    def _adam(self, gradient: Tensor) -> None:
        self._count += 1
        own = self._rows
        own["mean"].lerp_(gradient, 1 - _BETA1)
        own["square"].mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
        scale = (own["square"] / (1 - _BETA2**self._count)).sqrt_().add_(_EPSILON)
        own["w"].addcdiv_(own["mean"], scale, value=-self._lr / (1 - _BETA1**self._count))

    def drop_stalled(self) -> bool:
        """Let the images go that have made no progress since the last call; return whether there were any."""
        own = self._rows
        going = own["checked"].isinf() | (own["lowest"] < own["checked"] - _PROGRESS * own["checked"].abs())
        own["checked"] = own["lowest"].clone()
        if bool(going.all()):
            return False
        self._rows = {name: values[going] for name, values in own.items()}
        self.active = self.active[going]
        return True


def _image(tangent: Tensor) -> Tensor:
    return (tangent + 1) / 2
