"""The Gaussian mixture's log densities and losses, one number after the other; autograd gives their gradients.

Each formula is a function of its own and is looked up when called, so that a test can replace one by a wrong one and see
that it is noticed.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def half_distance(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """d_k = ½ (z−μ_k)ᵀ Λ_k⁻¹ (z−μ_k), L eq. 18; all (D,)."""
    return 0.5 * ((z - mean) ** 2 / log_var.exp()).sum()


def half_log_determinant(log_var: Tensor) -> Tensor:
    """½ log|Λ_k|, from (D,)."""
    return 0.5 * log_var.sum()


def with_margin(distance: Tensor, margin: float, kind: str) -> Tensor:
    """(1 + α) d_y, or d_y + m; L eq. 14, 17."""
    return {"adaptive": distance * (1 + margin), "constant": distance + margin}[kind]


def true_class(y: Tensor) -> int:
    """The class whose distance gets the margin."""
    return int(y)


def spread(log_var: Tensor | None, means: Tensor) -> Tensor:
    """log-variances as (K, D), whatever the covariance."""
    return torch.zeros_like(means) if log_var is None else log_var.expand_as(means)


def log_joint(z: Tensor, means: Tensor, log_var: Tensor | None = None, prior: Tensor | None = None) -> Tensor:
    """log p(z, k) (N, K), L eq. 4-6, 13."""
    log_var = spread(log_var, means)
    num_classes, dimension = means.shape
    rows = []
    for sample in z:
        row = []
        for k in range(num_classes):
            log_prior = -math.log(num_classes) if prior is None else prior[k].log()
            distance = half_distance(sample, means[k], log_var[k])
            row.append(log_prior - half_log_determinant(log_var[k]) - distance - dimension / 2 * math.log(2 * math.pi))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def classification(
    z: Tensor,
    y: Tensor,
    means: Tensor,
    log_var: Tensor | None = None,
    prior: Tensor | None = None,
    *,
    margin: float = 0.0,
    margin_kind: str = "adaptive",
) -> Tensor:
    """Cross entropy (N,) with the margin on the true class's distance, L eq. 12, 17 and T eq. 17-20."""
    joint = log_joint(z, means, log_var, prior)
    log_var = spread(log_var, means)
    losses = []
    for n, sample in enumerate(z):
        k = true_class(y[n])
        distance = half_distance(sample, means[k], log_var[k])
        own = joint[n, k] + distance - with_margin(distance, margin, margin_kind)
        every = torch.stack([own if j == k else joint[n, j] for j in range(means.shape[0])])
        losses.append(every.logsumexp(0) - own)
    return torch.stack(losses)


def component(
    z: Tensor, y: Tensor, means: Tensor, log_var: Tensor | None = None, prior: Tensor | None = None
) -> Tensor:
    """d_y + ½ log|Λ_y| (N,), L eq. 10 without its constants."""
    log_var = spread(log_var, means)
    own = [true_class(label) for label in y]
    return torch.stack(
        [half_distance(z[n], means[k], log_var[k]) + half_log_determinant(log_var[k]) for n, k in enumerate(own)]
    )


def mixture_bound(
    z: Tensor, y: Tensor, means: Tensor, log_var: Tensor | None = None, prior: Tensor | None = None
) -> Tensor:
    """Σ_k p(k) (2 d_k + log|Λ_k|) (N,), the prior held constant; T eq. 6-7."""
    log_var = spread(log_var, means)
    num_classes = means.shape[0]
    weight = means.new_full((num_classes,), 1 / num_classes) if prior is None else prior.detach()
    losses = []
    for sample in z:
        each = [
            weight[k] * 2 * (half_distance(sample, means[k], log_var[k]) + half_log_determinant(log_var[k]))
            for k in range(num_classes)
        ]
        losses.append(torch.stack(each).sum())
    return torch.stack(losses)


LIKELIHOODS = {"component": component, "mixture_bound": mixture_bound}
