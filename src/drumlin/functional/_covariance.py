"""Distances to class means under the three kinds of covariance, for one block of classes at a time, and their gradients.

With centred features z and means μ, the half squared Mahalanobis distance d_nk = ½ (z_n−μ_k)ᵀ Λ_k⁻¹ (z_n−μ_k) is expanded into
matrix products; nothing of size (N, K, D) exists. H_nk = ∂loss/∂(−d_nk) is all that a backward pass needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from drumlin.functional._products import Product


@dataclass(frozen=True)
class BlockGradient:
    """Gradients by z (N, D), a block's means (B, D) and log-variances ((B, D), (B, 1) or None; without the log-determinant's)."""

    z: Tensor
    means: Tensor
    log_var: Tensor | None


class Identity:
    """Λ = I: d = ½‖z−μ‖², one product forward and two backward."""

    def __init__(self, z: Tensor, mm: Product) -> None:
        self.z = z
        self.mm = mm
        self.half_square = z.square().sum(1, keepdim=True).mul_(0.5)

    def negative_distance(self, means: Tensor, log_var: Tensor | None) -> Tensor:
        """Return −d (N, B) for a block of centred means (B, D)."""
        half = torch.linalg.vecdot(means, means).mul_(0.5)
        return self.mm(self.z, means.T).sub_(half).sub_(self.half_square)

    def backward(self, h: Tensor, means: Tensor, log_var: Tensor | None) -> BlockGradient:
        """Return the gradients of Σ H ∘ (−d), H (N, B) held constant."""
        grad_z = self.mm(h, means).addcmul_(h.sum(1, keepdim=True), self.z, value=-1)
        grad_means = self.mm(h.T, self.z).addcmul_(h.sum(0)[:, None], means, value=-1)
        return BlockGradient(grad_z, grad_means, None)

    @staticmethod
    def bound_moments(prior: Tensor, means: Tensor, log_var: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return Σ_k p_k/Λ_k (D,), Σ_k p_k μ_k/Λ_k (D,) and Σ_k p_k (μ_kᵀΛ_k⁻¹μ_k + log|Λ_k|) over a block."""
        first = prior @ means
        return prior.sum().expand_as(first), first, prior @ torch.linalg.vecdot(means, means)

    @staticmethod
    def log_determinant(log_var: Tensor | None, dimension: int) -> Tensor | float:
        """Return log|Λ_k| (B,), from the logarithms of the variances."""
        return 0.0

    @staticmethod
    def inverse_variance(log_var: Tensor | None) -> Tensor | float:
        """Return 1/Λ, broadcastable against features."""
        return 1.0


class Isotropic(Identity):
    """One variance v a class: d = ½‖z−μ‖²/v."""

    def negative_distance(self, means: Tensor, log_var: Tensor | None) -> Tensor:
        """Return −d (N, B) for a block of centred means (B, D)."""
        assert log_var is not None
        return super().negative_distance(means, None).mul_(log_var.neg().exp_().squeeze(1))

    def backward(self, h: Tensor, means: Tensor, log_var: Tensor | None) -> BlockGradient:
        """Return the gradients of Σ H ∘ (−d), H (N, B) held constant."""
        assert log_var is not None
        scaled = h * log_var.neg().exp_().squeeze(1)
        by_mean = self.mm(scaled.T, self.z)
        total = scaled.sum(0)[:, None]
        square = torch.linalg.vecdot(means, means)[:, None]
        cross = torch.linalg.vecdot(by_mean, means)[:, None]
        grad_log_var = (scaled.T @ self.half_square).add_(total * square, alpha=0.5).sub_(cross)
        grad_z = self.mm(scaled, means).addcmul_(scaled.sum(1, keepdim=True), self.z, value=-1)
        return BlockGradient(grad_z, by_mean.addcmul_(total, means, value=-1), grad_log_var)

    @staticmethod
    def bound_moments(prior: Tensor, means: Tensor, log_var: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return Σ_k p_k/Λ_k (D,), Σ_k p_k μ_k/Λ_k (D,) and Σ_k p_k (μ_kᵀΛ_k⁻¹μ_k + log|Λ_k|) over a block."""
        assert log_var is not None
        weighted = prior * log_var.neg().exp_().squeeze(1)
        first = weighted @ means
        constant = weighted @ torch.linalg.vecdot(means, means) + means.shape[1] * (prior @ log_var.squeeze(1))
        return weighted.sum().expand_as(first), first, constant

    @staticmethod
    def log_determinant(log_var: Tensor | None, dimension: int) -> Tensor | float:
        """Return log|Λ_k| (B,), from the logarithms of the variances."""
        assert log_var is not None
        return log_var.squeeze(1) * dimension

    @staticmethod
    def inverse_variance(log_var: Tensor | None) -> Tensor | float:
        """Return 1/Λ, broadcastable against features."""
        assert log_var is not None
        return log_var.neg().exp_()


class Diagonal(Isotropic):
    """A variance a class and dimension: linear in [z², z], so twice the products."""

    def __init__(self, z: Tensor, mm: Product) -> None:
        super().__init__(z, mm)
        self.square = z.square()

    def negative_distance(self, means: Tensor, log_var: Tensor | None) -> Tensor:
        """Return −d (N, B) for a block of centred means (B, D)."""
        assert log_var is not None
        inverse = log_var.neg().exp_()
        scaled = inverse * means
        half = torch.linalg.vecdot(scaled, means).mul_(0.5)
        return self.mm(self.z, scaled.T).sub_(self.mm(self.square, inverse.T), alpha=0.5).sub_(half)

    def backward(self, h: Tensor, means: Tensor, log_var: Tensor | None) -> BlockGradient:
        """Return the gradients of Σ H ∘ (−d), H (N, B) held constant."""
        assert log_var is not None
        inverse = log_var.neg().exp_()
        grad_z = self.mm(h, inverse * means).addcmul_(self.z, self.mm(h, inverse), value=-1)
        h_means = means * h.sum(0)[:, None]
        by_mean = self.mm(h.T, self.z)
        # ½ Λ⁻¹ Σ_n H (z−μ)² = ½ Λ⁻¹ (Hᵀz² − μ (2 Hᵀz − sμ)), s the column sums of H
        grad_log_var = self.mm(h.T, self.square).addcmul_(means, by_mean, value=-2).addcmul_(means, h_means)
        return BlockGradient(grad_z, by_mean.sub_(h_means).mul_(inverse), grad_log_var.mul_(inverse).mul_(0.5))

    @staticmethod
    def bound_moments(prior: Tensor, means: Tensor, log_var: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return Σ_k p_k/Λ_k (D,), Σ_k p_k μ_k/Λ_k (D,) and Σ_k p_k (μ_kᵀΛ_k⁻¹μ_k + log|Λ_k|) over a block."""
        assert log_var is not None
        inverse = log_var.neg().exp_()
        scaled = inverse * means
        constant = prior @ (torch.linalg.vecdot(scaled, means) + log_var.sum(1))
        return prior @ inverse, prior @ scaled, constant

    @staticmethod
    def log_determinant(log_var: Tensor | None, dimension: int) -> Tensor | float:
        """Return log|Λ_k| (B,), from the logarithms of the variances."""
        assert log_var is not None
        return log_var.sum(1)


def covariance_of(log_var: Tensor | None) -> type[Identity]:
    """Return the kind of covariance that the shape of `log_var` says: None, (K, 1) or (K, D)."""
    if log_var is None:
        return Identity
    return Isotropic if log_var.shape[1] == 1 else Diagonal


def log_constant(dimension: int) -> float:
    """Return (D/2) log 2π."""
    return 0.5 * dimension * math.log(2 * math.pi)
