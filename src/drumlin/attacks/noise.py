"""Noise: what an attack of the same size must be compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from drumlin.attacks._streams import Streams
from drumlin.attacks.base import Attack, Perturbation
from drumlin.attacks.objective import Objective

_HALVINGS = 40


@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """Gaussian noise of a given size: x' = clip(x + s·n, 0, 1), with s such that ‖x'−x‖₂/√(CHW) is `l2` after clipping.

    s differs from image to image. Clipping bounds the size: where even s → ∞, which makes every pixel 0 or 1, falls short of
    `l2`, that is as near as it gets.

    Raises:
        ValueError: l2 outside [0, 1].

    >>> from torch import nn
    >>> from drumlin.model import Classifier
    >>> classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), "1", channels=1)
    >>> result = Noise(l2=0.3)(classifier, torch.rand(2, 1, 8, 8), torch.tensor([0, 1]))
    >>> result.l2.round(decimals=4).tolist(), result.iterations.tolist()
    ([0.3..., 0.3...], [0, 0])
    """

    name: ClassVar[str] = "noise"

    l2: float = 0.1
    """Root mean square change of a pixel, as a share of the range [0, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.l2 <= 1:
            raise ValueError(f"l2 must lie in [0, 1], got {self.l2}")

    def _perturb(self, objective: Objective, x: Tensor, generator: torch.Generator | None) -> Perturbation:
        noise = Streams(x, generator).normal()

        def noisy(scale: Tensor) -> Tensor:
            return (x + scale[:, None, None, None] * noise).clamp_(0, 1)

        # The size grows with the scale, which is searched by bisection of its logarithm: from none to all pixels clipped.
        low, high = x.new_full((len(x),), -20.0), x.new_full((len(x),), 20.0)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            less = (noisy(middle.exp()) - x).square().flatten(1).mean(1).sqrt() < self.l2
            low, high = torch.where(less, middle, low), torch.where(less, high, middle)
        scale = high.exp() if self.l2 else torch.zeros_like(high)
        nothing = torch.zeros_like(objective.y)
        return Perturbation(noisy(scale), nothing.bool(), nothing)
