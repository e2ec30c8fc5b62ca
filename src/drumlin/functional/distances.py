"""Squared distances to points of classes, as logits."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from drumlin.functional._numerics import compute_dtype, full_precision, zero_tiny_gradients


def distance_logits(z: Float[Tensor, "n d"], means: Float[Tensor, "k d"]) -> Float[Tensor, "n k"]:
    """Return −½ ‖z − μ_k‖²: the logits of equal Gaussians with Λ = I, without their constants.

    Computed in float32 (float64 if an argument is), whatever autocast says, by one matrix product of centred operands.

    Args:
        z: features (N, D).
        means: μ (K, D).

    >>> distance_logits(torch.zeros(1, 1), torch.tensor([[0.0], [2.0]]))
    tensor([[ 0., -2.]])
    """
    dtype = compute_dtype(z, means)
    with full_precision(z.device):
        z, means = z.to(dtype), means.to(dtype)
        centre = means.detach().mean(0)
        z, means = z - centre, means - centre
        product = torch.addmm(-0.5 * means.square().sum(1), z, means.T)
        return zero_tiny_gradients(product - 0.5 * z.square().sum(1, keepdim=True))
