"""Blocks of Gaussian classes against a batch of features: log joint densities, and their gradients.

With centred features z and means μ, −d_nk = −½ (z_n−μ_k)ᵀ Λ_k⁻¹ (z_n−μ_k) is expanded into matrix products; nothing of size
(N, K, D) exists. The three kinds of covariance differ in the width w of log-variances and squares alone: D for a diagonal; 1 for
one variance a class, where the squares are summed over D; the identity has w = 1 and inverse variances of 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from drumlin.functional._products import PRODUCTS, Product

_ROWS = 128


def log_constant(dimension: int) -> float:
    """Return (D/2) log 2π."""
    return 0.5 * dimension * math.log(2 * math.pi)


def log_determinant(log_var: Tensor, dimension: int) -> Tensor:
    """Return log|Λ_k| (B,) as the sum of log-variances (B, w): the product of D variances would be 0 in float32."""
    return log_var.sum(1) * (dimension / log_var.shape[1])


@dataclass
class Block:
    """Some classes: their range, centred means (B, D), what follows from them, and the samples whose class is among them."""

    part: slice
    means: Tensor
    scaled: Tensor
    """Λ⁻¹μ (B, D)."""
    inverse: Tensor
    """Λ⁻¹ (B, w)."""
    log_det: Tensor | None
    log_prior: Tensor
    rows: Tensor
    columns: Tensor
    """Row and column, in this block's part of (N, K), of the true class of each sample that has its class here."""

    @cached_property
    def squares(self) -> Tensor:
        """μᵀΛ⁻¹μ (B,)."""
        if self.inverse.shape[1] > 1:
            # A few rows at a time: the products need not leave the cache.
            pieces = zip(torch.split(self.scaled, _ROWS), torch.split(self.means, _ROWS), strict=True)
            return torch.cat([torch.linalg.vecdot(a, b) for a, b in pieces])
        # A norm reads once, where a dot product first writes all products.
        norms: Tensor = torch.linalg.vector_norm(self.means, dim=1)
        return norms.square_().mul_(self.inverse[:, 0])


def blocks(
    means: Tensor, log_var: Tensor | None, log_prior: Tensor, centre: Tensor | None, y: Tensor, size: int
) -> Iterator[Block]:
    """Yield blocks of at most `size` classes. Centred means are only good until the next block, whose means take their place.

    Without a centre they are the means themselves, and nothing is copied.
    """
    num_classes, dimension = means.shape
    many = size < num_classes
    order = y.argsort() if many else torch.arange(y.shape[0], device=y.device)
    counts = torch.bincount(y // size, minlength=-(-num_classes // size)).tolist() if many else [y.shape[0]]
    memory = None if centre is None else means.new_empty(min(size, num_classes), dimension)
    ones = means.new_ones(min(size, num_classes), 1)
    for rows, start in zip(torch.split(order, counts), range(0, num_classes, size), strict=True):
        part = slice(start, min(start + size, num_classes))
        centred = means[part]
        if centre is not None and memory is not None:
            centred = torch.sub(centred, centre, out=memory[: part.stop - start])
        inverse, scaled, log_det = ones[: part.stop - start], centred, None
        if log_var is not None:
            inverse = log_var[part].neg().exp_()
            scaled = centred * inverse
            log_det = log_determinant(log_var[part], dimension)
        yield Block(part, centred, scaled, inverse, log_det, log_prior[part], rows, y[rows] - start)


@dataclass
class Gradients:
    """What a backward pass gathers over blocks; the gradient of the features is `linear` − z ∘ `square`."""

    linear: Tensor
    square: Tensor
    means: Tensor
    log_var: Tensor | None


class Features:
    """A batch of centred features (N, D), with ½ z² as wide as the log-variances."""

    def __init__(self, z: Tensor, width: int, product: Product, half_square: Tensor | None = None) -> None:
        self.z = z
        self.width = width
        self.product = product
        self.square_product = product if width > 1 else PRODUCTS["float32"]  # one column is not worth rounding
        if half_square is None:
            squares = z.square() if width > 1 else torch.linalg.vector_norm(z, dim=1, keepdim=True).square_()
            half_square = squares.mul_(0.5)
        self.half_square = half_square

    def log_joint(self, block: Block, out: Tensor) -> Tensor:
        """Write log p(z, k) + (D/2) log 2π of a block's classes into `out` (N, B): without the constant, less is rounded off."""
        constant = torch.sub(block.log_prior, block.squares, alpha=0.5)
        if block.log_det is not None:
            constant.sub_(block.log_det, alpha=0.5)
        if self.width == 1:  # an outer product
            torch.addcmul(constant, self.half_square, block.inverse.T, value=-1, out=out)
        else:
            self.square_product(out.copy_(constant), self.half_square.neg(), block.inverse.T)
        return self.product(out, self.z, block.scaled.T)

    def backward(self, h: Tensor, sums: Tensor, block: Block, into: Gradients) -> None:
        """Add the gradients of Σ H ∘ log p(z, k) over a block's classes, H (N, B) held constant; `sums` (B, 1) are H's by column.

        ∂/∂μ = Λ⁻¹ (Hᵀz − sμ), ∂/∂log Λ = Λ⁻¹ (Hᵀ(½z²) − μHᵀz + ½sμ²) − ½s, summed over D where w = 1.
        """
        more = float(block.part.start > 0)  # the first block overwrites what is not initialised
        self.product(into.linear, h, block.scaled, beta=more)
        gradient = self.product(into.means[block.part], h.T, self.z, beta=0)
        if into.log_var is None:
            rows = h.sum(1, keepdim=True)
            into.square = into.square.add_(rows) if more else rows
            gradient.addcmul_(sums, block.means, value=-1)
            return
        self.square_product(into.square, h, block.inverse, beta=more)
        half = gradient.addcmul_(sums, block.means, value=-0.5)  # Hᵀz − ½sμ, for ½ Σ H (z−μ)² = Hᵀ(½z²) − μ (Hᵀz − ½sμ)
        by_log_var = self.square_product(into.log_var[block.part], h.T, self.half_square, beta=0)
        if self.width > 1:
            by_log_var.addcmul_(half, block.means, value=-1)
        else:
            by_log_var.sub_(torch.linalg.vecdot(half, block.means)[:, None])
        by_log_var.mul_(block.inverse).sub_(sums, alpha=0.5 * self.z.shape[1] / self.width)
        gradient.addcmul_(sums, block.means, value=-0.5).mul_(block.inverse)
