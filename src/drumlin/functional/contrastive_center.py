"""Contrastive-center loss: near the center of one's class, in proportion to how far all the others are."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from drumlin.functional._numerics import compute_dtype
from drumlin.functional.center import center_loss


def contrastive_center_loss(
    z: Float[Tensor, "n d"], y: Int[Tensor, " n"], centers: Float[Tensor, "k d"], *, delta: float = 1.0
) -> Float[Tensor, " n"]:
    """Return ½ ‖z − c_y‖² / (Σ_{k≠y} ‖z − c_k‖² + δ) of each sample.

    Nothing of size (N, K) exists: about their own mean m_y and with their own spread s_y, the other centers' sum is
    (K−1) ‖z − m_y‖² + s_y. Subtracting ‖z − c_y‖² from a sum over all centers would cancel where the others are near.

    Args:
        z: features (N, D).
        y: labels (N,) in 0..K−1.
        centers: c (K, D), K ≥ 2.
        delta: δ > 0, keeps the quotient finite.

    Returns:
        (N,) in float32, or float64 if an argument is.

    >>> import torch
    >>> z, centers = torch.zeros(1, 1), torch.tensor([[2.0], [1.0], [-2.0]])
    >>> contrastive_center_loss(z, torch.tensor([0]), centers)  # ½ · 4 / (1 + 4 + 1)
    tensor([0.3333])

    Source: C. Qi, F. Su, Contrastive-Center Loss for Deep Neural Networks, ICIP 2017, eq. 3, whose δ is 1.
    """
    dtype = compute_dtype(z, centers)
    centers, others = centers.to(dtype), centers.shape[0] - 1
    centre = centers.mean(0)
    offset = centers - centre
    squares = offset.square().sum(1)
    mean_of_others = centre - offset / others
    # At least 0 but for rounding: for two classes it is exactly 0.
    spread_of_others = (squares.sum() - squares * (centers.shape[0] / others)).clamp_min(0)
    away = others * (z.to(dtype) - mean_of_others[y]).square().sum(1) + spread_of_others[y]
    return center_loss(z, y, centers) / (away + delta)
