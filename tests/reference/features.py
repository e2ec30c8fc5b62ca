"""Center, contrastive-center and isotropic loss and Wen's update of centers, one number after the other."""

from __future__ import annotations

import math

import torch
from torch import Tensor

Rows = list[list[float]]


def squared(a: list[float], b: list[float]) -> float:
    """‖a − b‖²."""
    return sum((u - v) ** 2 for u, v in zip(a, b, strict=True))


def center_loss(z: Tensor, y: Tensor, centers: Tensor) -> Tensor:
    """½ ‖z − c_y‖² (N,)."""
    return _float64(0.5 * squared(row, centers.tolist()[k]) for row, k in zip(z.tolist(), y.tolist(), strict=True))


def contrastive_center_loss(z: Tensor, y: Tensor, centers: Tensor, delta: float = 1.0) -> Tensor:
    """½ ‖z − c_y‖² / (Σ_{k≠y} ‖z − c_k‖² + δ) (N,)."""
    losses = []
    for row, label in zip(z.tolist(), y.tolist(), strict=True):
        distances = [squared(row, center) for center in centers.tolist()]
        losses.append(0.5 * distances[label] / (sum(distances) - distances[label] + delta))
    return _float64(losses)


def isotropic_loss(z: Tensor) -> Tensor:
    """N/(N−1) (D_i − D̄)² (N,), D_i = ‖z_i − z̄‖ (I eq. 3)."""
    rows: Rows = z.tolist()
    size = len(rows)
    centre = [sum(column) / size for column in zip(*rows, strict=True)]
    distances = [math.sqrt(squared(row, centre)) for row in rows]
    mean = sum(distances) / size
    return _float64(size / (size - 1) * (distance - mean) ** 2 for distance in distances)


def moved_centers(z: Tensor, y: Tensor, centers: Tensor, rate: float) -> Tensor:
    """c_k − rate Σ_i 1(y_i=k) (c_k − z_i) / (1 + Σ_i 1(y_i=k)) (K, D) (Wen et al. 2016, eq. 4)."""
    moved = []
    for k, center in enumerate(centers.tolist()):
        own = [row for row, label in zip(z.tolist(), y.tolist(), strict=True) if label == k]
        pull = [sum(c - row[d] for row in own) / (1 + len(own)) for d, c in enumerate(center)]
        moved.append([c - rate * p for c, p in zip(center, pull, strict=True)])
    return torch.tensor(moved, dtype=torch.float64)


def _float64(values: object) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float64)  # type: ignore[call-overload]
