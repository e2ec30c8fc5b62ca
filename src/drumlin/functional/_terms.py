"""What the fused mixture loss is told, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass(frozen=True)
class MixtureOptions:
    """What the fused loss needs beside tensors: margins α (a factor) and m (nats), the likelihood term and its weight, chunk and
    precision.
    """

    factor: float
    shift: float
    bound: bool
    weight: float
    class_chunk: int | None
    matmul: str


class MixtureTerms(NamedTuple):
    """Per-sample results: cross entropy (N,), weighted likelihood term (N,), and either a running prediction (N,), or what logits are
    made of: `joint` (N, K), and what a sample's classes share: ½ z² (N,), None where it is in `joint`, and a constant.
    """

    classification: Tensor
    likelihood: Tensor
    running_prediction: Tensor | None
    joint: Tensor | None
    half_square: Tensor | None
    constant: float

    @property
    def logits(self) -> Tensor | None:
        """log p(z, k) (N, K), without margin, detached; None where they never were. They are made when asked for."""
        if self.joint is None:
            return None
        return self.joint - (self.constant if self.half_square is None else (self.half_square + self.constant)[:, None])

    @property
    def prediction(self) -> Tensor:
        """The most probable class (N,), without margin; it is found when asked for."""
        if self.running_prediction is not None:
            return self.running_prediction
        assert self.joint is not None
        return self.joint.argmax(1)
