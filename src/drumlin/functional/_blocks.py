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
    inverse: Tensor | None
    """Λ⁻¹ (B, w); None for the identity."""
    log_det: Tensor | None
    log_prior: Tensor | None
    """log p(k) (B,); None where it is uniform, and cancels."""
    rows: Tensor | None
    """The samples that have their class here; None for all."""
    columns: Tensor
    """In this block's part of (N, K), the column of the true class of each of them."""
    operand: Tensor | None = None
    """What products of another precision take in place of means and variances, once it was made."""

    @cached_property
    def constant(self) -> Tensor:
        """What the features have no part in (B,): log p(k) − ½ μᵀΛ⁻¹μ − ½ log|Λ|."""
        constant = self.squares * -0.5
        if self.log_prior is not None:
            constant.add_(self.log_prior)
        if self.log_det is not None:
            constant.sub_(self.log_det, alpha=0.5)
        return constant

    @cached_property
    def squares(self) -> Tensor:
        """μᵀΛ⁻¹μ (B,)."""
        if self.inverse is not None and self.inverse.shape[1] > 1:
            # A few rows at a time: the products need not leave the cache.
            pieces = zip(torch.split(self.scaled, _ROWS), torch.split(self.means, _ROWS), strict=True)
            return torch.cat([torch.linalg.vecdot(a, b) for a, b in pieces])
        squares = squared_norms(self.means)
        return squares if self.inverse is None else squares.mul_(self.inverse[:, 0])

    def fill_own(self, matrix: Tensor, value: float) -> None:
        """Set the entries of the true classes in this block's part (N, B) of a matrix to one value."""
        if self.rows is None:
            matrix.scatter_(1, self.columns[:, None], value)
        else:
            matrix[self.rows, self.columns] = value

    def add_own(self, matrix: Tensor, values: Tensor) -> None:
        """Add to the entries of the true classes in this block's part (N, B) of a matrix those of `values` (N,)."""
        if self.rows is None:
            matrix.scatter_add_(1, self.columns[:, None], values[:, None])
        else:
            matrix.index_put_((self.rows, self.columns), values[self.rows], accumulate=True)


def own_terms(log_var: Tensor, y: Tensor, dimension: int) -> tuple[Tensor, Tensor]:
    """Return inverse variances (N, w) and log-determinants (N,) of each sample's own class."""
    if log_var.shape[0] > len(y):
        log_var = log_var.index_select(0, y)
        return log_var.neg().exp_(), log_determinant(log_var, dimension)
    log_det = log_determinant(log_var, dimension)  # of all, which are fewer
    return log_var.neg().exp_().index_select(0, y), log_det.index_select(0, y)


def squared_norms(x: Tensor) -> Tensor:
    """Return ‖x‖² (N,) of rows. A norm reads once, where a dot product first writes all products."""
    norms: Tensor = torch.linalg.vector_norm(x, dim=1)
    return norms.square_()


def blocks(
    means: Tensor, log_var: Tensor | None, log_prior: Tensor | None, centre: Tensor | None, y: Tensor, size: int
) -> Iterator[Block]:
    """Yield blocks of at most `size` classes. Centred means are only good until the next block, whose means take their place.

    Without a centre they are the means themselves, and nothing is copied.
    """
    num_classes, dimension = means.shape
    if size >= num_classes:
        yield _block(means if centre is None else means - centre, log_var, log_prior, slice(0, num_classes), None, y)
        return
    order = y.argsort()
    counts = torch.bincount(y // size, minlength=-(-num_classes // size)).tolist()
    memory = None if centre is None else means.new_empty(size, dimension)
    for rows, start in zip(torch.split(order, counts), range(0, num_classes, size), strict=True):
        part = slice(start, min(start + size, num_classes))
        centred = means[part]
        if centre is not None and memory is not None:
            centred = torch.sub(centred, centre, out=memory[: part.stop - start])
        yield _block(
            centred,
            None if log_var is None else log_var[part],
            None if log_prior is None else log_prior[part],
            part,
            rows,
            y[rows] - start,
        )


def _block(
    means: Tensor, log_var: Tensor | None, log_prior: Tensor | None, part: slice, rows: Tensor | None, columns: Tensor
) -> Block:
    """Return a block of centred means, with what follows from the log-variances of its classes."""
    if log_var is None:
        return Block(part, means, means, None, None, log_prior, rows, columns)
    inverse = log_var.neg().exp_()
    log_det = log_determinant(log_var, means.shape[1])
    return Block(part, means, means * inverse, inverse, log_det, log_prior, rows, columns)


@dataclass
class Gradients:
    """What a backward pass gathers over blocks; the gradient of the features is `linear` − z ∘ `square`."""

    linear: Tensor
    square: Tensor
    means: Tensor
    log_var: Tensor | None


class Features:
    """A batch of centred features (N, D), with ½ z² as wide as the log-variances; of the identity, (N, 1).

    Products are in the dtype of the features; `RoundedFeatures` has others.

    Attributes:
        near: nats; expanded distances of features and own means this near the origin err by about 3e-5 nats in float32.
    """

    near = 512.0

    def __init__(self, z: Tensor, width: int, half_square: Tensor | None = None) -> None:
        self.z = z
        self.width = width
        if half_square is None:
            squares = z.square() if width > 1 else squared_norms(z)[:, None]
            half_square = squares.mul_(0.5)
        self.half_square = half_square

    def log_joint(self, block: Block, out: Tensor) -> Tensor:
        """Write log p(z, k) of a block's classes into `out` (N, B), up to a constant a sample.

        It lacks (D/2) log 2π and a uniform prior, and for the identity ½ z²: what all classes share need not be rounded.
        """
        if block.inverse is None:
            return torch.addmm(block.constant, self.z, block.scaled.T, out=out)
        if self.width == 1:  # an outer product
            torch.addcmul(block.constant, self.half_square, block.inverse.T, value=-1, out=out)
        else:
            torch.addmm(block.constant, self.half_square, block.inverse.T, alpha=-1, out=out)
        return out.addmm_(self.z, block.scaled.T)

    def backward(self, h: Tensor, sums: Tensor, by_log_det: Tensor, block: Block, into: Gradients) -> None:
        """Add the gradients of −Σ H ∘ d_k(z) and −½ Σ s' log|Λ_k| over a block's classes, H (N, B) and s' (B,) held constant.

        `sums` s (B,) are H's by column. ∂/∂μ = Λ⁻¹ (Hᵀz − sμ), ∂/∂log Λ = Λ⁻¹ (Hᵀ(½z²) − μHᵀz + ½sμ²) − ½s', summed over D where
        w = 1. Of the identity, what `square` gathers is known without H, and left alone.
        """
        prepared = self._prepare(h)
        self._by_features(
            prepared, block, into, float(block.part.start > 0)
        )  # the first block overwrites what is there
        gradient, column = into.means[block.part], sums[:, None]
        if block.inverse is None or into.log_var is None:
            self._by_means(prepared, torch.mul(block.means, column, out=gradient), beta=-1)
            return
        self._by_means(prepared, gradient, beta=0)
        # Hᵀz − ½sμ, for ½ Σ H (z−μ)² = Hᵀ(½z²) − μ (Hᵀz − ½sμ)
        half = gradient.addcmul_(column, block.means, value=-0.5)
        by_log_var = into.log_var[block.part]
        self._by_squares(prepared, by_log_var)
        if self.width > 1:
            by_log_var.addcmul_(half, block.means, value=-1)
        else:
            by_log_var.sub_(torch.linalg.vecdot(half, block.means)[:, None])
        by_log_var.mul_(block.inverse).sub_(by_log_det[:, None], alpha=0.5 * self.z.shape[1] / self.width)
        gradient.addcmul_(column, block.means, value=-0.5).mul_(block.inverse)

    def _prepare(self, h: Tensor) -> tuple[Tensor, ...]:
        """Return H as the three products below want it."""
        return (h,)

    def _by_features(self, prepared: tuple[Tensor, ...], block: Block, into: Gradients, beta: float) -> None:
        """Add HΛ⁻¹μ (N, D) and HΛ⁻¹ (N, w) to beta times what is there; of the identity the first alone."""
        (h,) = prepared
        into.linear.addmm_(h, block.scaled, beta=beta)
        if block.inverse is not None:
            into.square.addmm_(h, block.inverse, beta=beta)

    def _by_means(self, prepared: tuple[Tensor, ...], out: Tensor, *, beta: float) -> None:
        """Add Hᵀz to beta times `out` (B, D)."""
        (h,) = prepared
        out.addmm_(h.T, self.z, beta=beta)

    def _by_squares(self, prepared: tuple[Tensor, ...], out: Tensor) -> None:
        """Write Hᵀ(½z²) into `out` (B, w)."""
        (h,) = prepared
        out.addmm_(h.T, self.half_square, beta=0)
