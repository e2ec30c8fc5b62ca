"""Isotropic loss: all features at one distance from their common mean; the isomax of 2018 without its softmax."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from drumlin.functional._numerics import compute_dtype


def isotropic_loss(z: Float[Tensor, "n d"], batch: Float[Tensor, "b d"] | None = None) -> Float[Tensor, " n"]:
    """Return B/(B−1) (D_i − D̄)² of each sample, D_i = ‖z_i − z̄‖: its mean over the batch is the unbiased variance of D.

    Needs no labels. A batch of one sample gives 0, and a sample at z̄ the gradient 0.

    Args:
        z: features (N, D) whose losses are wanted.
        batch: features (B, D) that z̄ and D̄ are means of; z itself by default. On several processes those of all of them.

    Returns:
        (N,) in float32, or float64 if an argument is.

    >>> z = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 4.0], [0.0, -4.0]])  # z̄ = 0; D = 1, 1, 4, 4; D̄ = 2.5
    >>> isotropic_loss(z)
    tensor([3., 3., 3., 3.])

    Source: I eq. 3, Algorithm 1 (which divides by B, not by B − 1). Not the later IsoMax of Macêdo.
    """
    dtype = compute_dtype(z, batch)
    z, batch = z.to(dtype), (z if batch is None else batch).to(dtype)
    size = batch.shape[0]
    centre = batch.sum(0) / max(size, 1)
    # vector_norm has the gradient 0 at 0, where a square root of squares would have NaN.
    distance: Tensor = torch.linalg.vector_norm(z - centre, dim=1)
    mean: Tensor = torch.linalg.vector_norm(batch - centre, dim=1).sum() / max(size, 1)
    return (distance - mean).square() * (size / max(size - 1, 1))
