"""Means, covariances and what makes a covariance the identity; in float64, a piece of the features at a time."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from drumlin.detectors._classes import CHUNK

_LEAST_VARIANCE = 1e-8
"""Of the largest: what varies less counts as varying so much."""


def class_means(z: Float[Tensor, "n d"], y: Int[Tensor, " n"], counts: Int[Tensor, " k"]) -> Float64[Tensor, "k d"]:
    """Return the mean of each class (K, D); `counts` are its samples.

    >>> class_means(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 1]), torch.tensor([2, 1])).tolist()
    [[2.0], [5.0]]
    """
    sums = z.new_zeros(len(counts), z.shape[1], dtype=torch.float64)
    for some_z, some_y in zip(torch.split(z, CHUNK), torch.split(y, CHUNK), strict=True):
        sums.index_add_(0, some_y, some_z.double())
    return sums / counts[:, None]


def pooled_covariance(
    z: Float[Tensor, "n d"], y: Int[Tensor, " n"], means: Float64[Tensor, "k d"]
) -> Float64[Tensor, "d d"]:
    """Return (1/N) Σ_i (z_i − μ_{y_i}) (z_i − μ_{y_i})ᵀ (D, D).

    >>> pooled_covariance(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 1]), torch.tensor([[2.0], [5.0]]).double())
    tensor([[0.6667]], dtype=torch.float64)
    """
    scatter = z.new_zeros(z.shape[1], z.shape[1], dtype=torch.float64)
    for some_z, some_y in zip(torch.split(z, CHUNK), torch.split(y, CHUNK), strict=True):
        centred = some_z.double() - means[some_y]
        scatter.addmm_(centred.T, centred)
    return scatter / len(z)


def whitening(covariance: Float64[Tensor, "d d"]) -> tuple[Float64[Tensor, "d d"], Float64[Tensor, ""]]:
    """Return A (D, D) with A Aᵀ = Σ⁻¹, so that ‖zA‖² is the squared Mahalanobis distance of z from 0, and log|Σ|.

    Directions whose variance is below 1e-8 of the largest are taken to have that much. A unit that is always off in training (a ReLU)
    would otherwise divide by zero, or, left out, go unseen when something strange turns it on.

    Raises:
        ValueError: Σ is 0.

    >>> whitening(torch.tensor([[4.0, 0.0], [0.0, 9.0]]).double())[0].abs().sort().values.tolist()
    [[0.0, 0.5], [0.0, 0.3333333333333333]]
    """
    variances, directions = torch.linalg.eigh(covariance)
    if not variances[-1] > 0:
        raise ValueError("the features have no spread at all: they all coincide")
    variances = variances.clamp_min(_LEAST_VARIANCE * float(variances[-1]))
    return (directions / variances.sqrt()).contiguous(), variances.log().sum()
