"""The products of blocks of Gaussian classes with operands rounded to bfloat16, where processors are fastest.

A diagonal covariance's two products are one, of [½z², z] with [a − Λ⁻¹, Λ⁻¹μ]: what cancels between them does so before the result
is rounded. The reference a (D,), near the inverse variances of a block, takes out what its classes have in common: ½ z²·a of a
sample is of the size of D, so that rounding it would cost whole nats, and is added in float32.
"""

from __future__ import annotations

import torch
from torch import Tensor

from drumlin.functional._blocks import Block, Features, Gradients

_REFERENCE_ROWS = 32


class RoundedFeatures(Features):
    """`Features` whose matrix products are bfloat16; their sums and everything else are float32."""

    near = 4.0

    def __init__(self, z: Tensor, width: int, half_square: Tensor | None = None) -> None:
        super().__init__(z, width, half_square)
        self.operand = z.bfloat16() if width == 1 else _side_by_side(self.half_square, z)

    def log_joint(self, block: Block, out: Tensor) -> Tensor:
        """Write log p(z, k) of a block's classes into `out` (N, B), up to a constant a sample, as `Features` does."""
        out.copy_(self.operand @ _operand(block).T)
        if block.inverse is None:
            return out.add_(block.constant)
        if self.width == 1:
            return out.add_(block.constant).addcmul_(self.half_square, block.inverse.T, value=-1)
        return out.add_(block.constant).sub_(torch.mv(self.half_square, _reference(block.inverse))[:, None])

    def _prepare(self, h: Tensor) -> tuple[Tensor, ...]:
        rounded = h.bfloat16()
        return h, rounded, rounded.T @ self.operand

    def _by_features(self, prepared: tuple[Tensor, ...], block: Block, into: Gradients, beta: float) -> None:
        h, rounded, _ = prepared
        by_operand = rounded @ _operand(block)
        dimension = self.z.shape[1]
        linear = by_operand[:, -dimension:]
        into.linear.copy_(linear) if beta == 0 else into.linear.add_(linear)
        if block.inverse is None:
            return
        if self.width == 1:
            into.square.addmm_(h, block.inverse, beta=beta)  # one column is not worth rounding
            return
        into.square.mul_(beta) if beta else into.square.zero_()
        into.square.addr_(h.sum(1), _reference(block.inverse)).sub_(by_operand[:, :dimension])

    def _by_means(self, prepared: tuple[Tensor, ...], out: Tensor, *, beta: float) -> None:
        by_operand = prepared[2][:, -self.z.shape[1] :]
        out.copy_(by_operand) if beta == 0 else out.mul_(beta).add_(by_operand)

    def _by_squares(self, prepared: tuple[Tensor, ...], out: Tensor) -> None:
        h, _, by_operand = prepared
        if self.width == 1:
            out.addmm_(h.T, self.half_square, beta=0)
        else:
            out.copy_(by_operand[:, : self.z.shape[1]])


def features(z: Tensor, width: int, matmul: str, half_square: Tensor | None = None) -> Features:
    """Return features with products of a precision, "float32" or "bfloat16"; float64 is never rounded."""
    kind = FEATURES[matmul] if z.dtype == torch.float32 else Features
    return kind(z, width, half_square)


FEATURES: dict[str, type[Features]] = {"float32": Features, "bfloat16": RoundedFeatures}
"""Precision → what computes with it."""


def _operand(block: Block) -> Tensor:
    """Return Λ⁻¹μ (B, D) rounded; of diagonal variances [a − Λ⁻¹, Λ⁻¹μ] (B, 2D)."""
    if block.operand is None:
        if block.inverse is None or block.inverse.shape[1] == 1:
            block.operand = block.scaled.bfloat16()
        else:
            block.operand = _side_by_side(_reference(block.inverse) - block.inverse, block.scaled)
    return block.operand


def _reference(inverse: Tensor) -> Tensor:
    """Return a point (D,) near the inverse variances (B, D) of a block: the mean of some classes spread over it."""
    return inverse[:: -(-len(inverse) // _REFERENCE_ROWS)].mean(0)


def _side_by_side(a: Tensor, b: Tensor) -> Tensor:
    """Return [a, b] (N, 2D) rounded; `copy_` rounds several times faster than operations with an output of another type do."""
    width = a.shape[1]
    both = a.new_empty(len(a), 2 * width, dtype=torch.bfloat16)
    both[:, :width].copy_(a)
    both[:, width:].copy_(b)
    return both
