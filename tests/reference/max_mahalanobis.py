"""Max-Mahalanobis means by the paper's recursion (Pang et al. 2018, Algorithm 1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def means(num_classes: int, in_features: int, norm: float) -> Tensor:
    """μ*_k (K, D), coordinate by coordinate, each from the inner products that those before it must have."""
    mu = [[0.0] * in_features for _ in range(num_classes)]
    mu[0][0] = 1.0
    for i in range(1, num_classes):
        for j in range(i):
            inner = sum(a * b for a, b in zip(mu[i], mu[j], strict=True))
            mu[i][j] = -(1 + inner * (num_classes - 1)) / (mu[j][j] * (num_classes - 1))
        if i < num_classes - 1:  # the last one is of unit length already
            mu[i][i] = math.sqrt(1 - sum(a * a for a in mu[i]))
    return torch.tensor(mu, dtype=torch.float64) * norm
