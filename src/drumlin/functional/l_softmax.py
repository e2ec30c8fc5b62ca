"""Large-margin softmax: the angle to the true class's weights counts m times.

Source: W. Liu, Y. Wen, Z. Yu, M. Yang, Large-Margin Softmax Loss for Convolutional Neural Networks, ICML 2016; the slides (**S**).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from drumlin.functional._numerics import compute_dtype, full_precision, zero_tiny_gradients


def l_softmax_logits(
    z: Float[Tensor, "n d"],
    y: Int[Tensor, " n"],
    weight: Float[Tensor, "k d"],
    *,
    margin: int = 4,
    beta: float = 0.0,
) -> Float[Tensor, "n k"]:
    """Return ‖w_k‖ ‖z‖ cos θ_k = w_k·z with the true class's cos θ replaced by (β cos θ + ψ(θ)) / (1 + β).

    ψ(θ) = (−1)^j cos(mθ) − 2j on [jπ/m, (j+1)π/m]: it falls from 1 at θ = 0 to 1 − 2m at π and never exceeds cos θ.

    Args:
        z: features (N, D). Where z or w_y is 0 there is no angle, and no margin either.
        y: labels (N,) in 0..K−1.
        weight: w (K, D).
        margin: m, a whole number of at least 1; 1 is softmax.
        beta: β ≥ 0, the share of plain softmax; annealed in training.

    Raises:
        ValueError: a margin that is not a whole number of at least 1.

    >>> z, weight = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> l_softmax_logits(z, torch.tensor([0]), weight, margin=2)  # θ = 90°: cos 180° = −1
    tensor([[-2.,  2.]])

    Source: S, from "Large-Margin Softmax Loss" on. cos(mθ) is the Chebyshev polynomial of cos θ, and j comes from comparing cos θ
    with cos(jπ/m): an arc cosine would have an infinite gradient at ±1.
    """
    if margin != int(margin) or margin < 1:
        raise ValueError(f"margin must be a whole number of at least 1, got {margin}")
    dtype = compute_dtype(z, weight)
    with full_precision(z.device):
        z, weight = z.to(dtype), weight.to(dtype)
        return insert_margin(zero_tiny_gradients(z @ weight.T), z, y, weight, margin, beta)


def insert_margin(logits: Tensor, z: Tensor, y: Tensor, weight: Tensor, margin: int, beta: float) -> Tensor:
    """Return the products `logits` = z @ weight.T with the margin on the true class; all of one dtype."""
    plain = logits.gather(1, y[:, None]).squeeze(1)
    scale = torch.linalg.vector_norm(z, dim=1) * torch.linalg.vector_norm(weight, dim=1)[y]
    cosine = plain / scale.clamp_min(torch.finfo(scale.dtype).tiny)
    with_margin = scale * (beta * cosine + stretched_cosine(cosine, margin)) / (1 + beta)
    return logits.scatter(1, y[:, None], torch.where(scale > 0, with_margin, plain)[:, None])


def stretched_cosine(cosine: Tensor, margin: int) -> Tensor:
    """Return ψ(θ) = (−1)^j cos(mθ) − 2j from cos θ, where jπ/m ≤ θ ≤ (j+1)π/m.

    >>> stretched_cosine(torch.tensor([1.0, 0.0, -1.0]), 2)
    tensor([ 1., -1., -3.])
    """
    before, current = torch.ones_like(cosine), cosine
    for _ in range(margin - 1):
        before, current = current, 2 * cosine * current - before
    bounds = [math.cos(j * math.pi / margin) for j in range(1, margin)]
    j = (cosine.detach()[..., None] < cosine.new_tensor(bounds)).sum(-1)
    return (1 - 2 * (j % 2)) * current - 2 * j
