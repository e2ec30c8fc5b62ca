"""Class means as far apart as a sphere allows.

Source: T. Pang, C. Du, J. Zhu, Max-Mahalanobis Linear Discriminant Analysis Networks, ICML 2018.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def max_mahalanobis_means(
    num_classes: int, in_features: int, *, norm: float = 10.0, dtype: torch.dtype | None = None
) -> Float[Tensor, "k d"]:
    """Return the corners μ*_k of a regular simplex around the origin: ‖μ*_k‖² = C, μ*_j · μ*_k = −C/(K−1) for j ≠ k.

    Of all K points on a sphere they have the largest smallest distance. The paper's recursion in closed form: with
    a_j² = C · K (K−j) / ((K−1) (K−j+1)), the j-th coordinate (from 1) is a_j for k = j, −a_j / (K−j) for k > j, and 0 for k < j; those
    from K on are 0.

    Args:
        num_classes: K ≥ 2.
        in_features: D ≥ K−1.
        norm: √C, the length of every mean, above 0.
        dtype: of the result; by default torch's.

    Raises:
        ValueError: K < 2 or D < K−1.

    >>> max_mahalanobis_means(3, 2, norm=2.0)
    tensor([[ 2.0000,  0.0000],
            [-1.0000,  1.7321],
            [-1.0000, -1.7321]])

    Source: Pang et al. 2018, Algorithm 1.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2 for means to have a distance, got {num_classes}")
    if in_features < num_classes - 1:
        raise ValueError(
            f"in_features must be at least {num_classes - 1} for {num_classes} means at equal distances, got {in_features}"
        )
    rest = torch.arange(num_classes - 1, 0, -1, dtype=torch.float64)
    own = norm * (num_classes / (num_classes - 1) * rest / (rest + 1)).sqrt()
    means = torch.zeros(num_classes, in_features, dtype=torch.float64)
    corner = means[:, : num_classes - 1]
    corner.copy_((-own / rest).expand_as(corner).tril(-1))
    corner.diagonal().copy_(own)
    return means.to(dtype or torch.get_default_dtype())
