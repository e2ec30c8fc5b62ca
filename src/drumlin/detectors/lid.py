"""Local intrinsic dimensionality: in how many directions a sample's neighbours lie."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from drumlin.detectors._hidden import checked_layers, layers_to_fit, request_of, side_by_side
from drumlin.detectors._regression import log_odds
from drumlin.detectors.base import Detector
from drumlin.features import FeatureRequest, FeatureSet

_COINCIDENT = 1e-5
"""Of the largest distance to the reference: what is nearer is the sample itself."""
_LEAST_MEAN = 1e-6
"""Least value of −(1/k) Σ log(r_i/r_k), about its rounding: a dimensionality is at most a million."""


class LID(Detector):
    """Log-odds of an anomaly by its local intrinsic dimensionality in each layer: s = b + Σ_l w_l LID_l.

    LID_l = −[(1/k) Σ_i log(r_i/r_k)]⁻¹ of the distances r_1 ≤ … ≤ r_k to the k nearest of a reference batch of training samples, in
    the hidden layer l; z counts as the last layer. The batch is drawn once, when fitted. w and b are those of a logistic regression
    that tells held-out normal samples from known anomalies. The score is of the input as a whole: a class given with y is not
    looked at.

    A reference sample with which a sample coincides (nearer than 1e-5 of its largest distance to the batch) does not count, else the
    logarithm, and its gradient, would be infinite. The score itself is what an attack can follow: it has a gradient almost everywhere,
    by the k neighbours alone.

    Args:
        k: neighbours, at least 2 (one alone has no dimensionality).
        reference: size of the batch, above k.
        layers: hidden layers to look at; None for all that the training features have.
        seed: of the batch.

    Attributes:
        layers_: the hidden layers in use, z not among them.
        widths_: their widths, then D.
        reference_: the batch (`reference`, Σ widths), layers side by side.
        weights_, intercept_: w (L + 1,) and b.

    Raises:
        ValueError: an argument out of range; when fitting: fewer training samples than `reference`, an unknown layer, fewer than two
            normals or anomalies.

    >>> generator = torch.Generator().manual_seed(0)
    >>> def draw(n, width):  # points on a line or in a plane
    ...     z = torch.zeros(n, 2)
    ...     z[:, :width] = torch.randn(n, width, generator=generator)
    ...     return FeatureSet(z, torch.zeros(n, 2), None, {"layer": 2 * z})
    >>> detector = LID(k=10, reference=50).fit(draw(100, 1), normals=draw(50, 1), anomalies=draw(50, 2))
    >>> bool(detector.score(draw(50, 2)).mean() > detector.score(draw(50, 1)).mean())
    True

    Source: Ma et al., Characterizing Adversarial Subspaces Using Local Intrinsic Dimensionality, ICLR 2018.
    Differs from it: one fixed reference batch in place of a random minibatch for every batch scored, so that scores do not depend on
    chance.
    """

    name: ClassVar[str] = "lid"
    requires: ClassVar[frozenset[str]] = frozenset({"hidden", "anomalies"})

    layers_: list[str]
    widths_: list[int]
    reference_: Float[Tensor, "r w"]
    weights_: Float64[Tensor, " l"]
    intercept_: float

    def __init__(
        self, *, k: int = 20, reference: int = 100, layers: tuple[str, ...] | None = None, seed: int = 0
    ) -> None:
        if k < 2:
            raise ValueError(f"k must be at least 2, got {k}: one neighbour has no dimensionality")
        if reference <= k:
            raise ValueError(f"reference must be above k={k}, got {reference}")
        self.k = k
        self.reference = reference
        self.layers = checked_layers(layers)
        self.seed = seed

    @property
    def request(self) -> FeatureRequest:
        """The hidden layers in use; before fitting those asked for.

        Raises:
            ValueError: not fitted, and all layers asked for.
        """
        return request_of(getattr(self, "layers_", self.layers), self.name)

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        assert anomalies is not None
        assert normals is not None
        if len(features) < self.reference:
            raise ValueError(
                f"reference must be at most the {len(features)} training samples, got {self.reference}: give more samples, or a"
                " smaller reference (and k)"
            )
        layers = layers_to_fit(self.layers, features)
        chosen = torch.randperm(len(features), generator=torch.Generator().manual_seed(self.seed))[: self.reference]
        batch = features.subset(chosen.to(features.z.device))
        widths = [*(batch.hidden[name].shape[1] for name in layers), features.z.shape[1]]
        reference = torch.cat([side_by_side(batch, layers, None, self.name), batch.z], 1).detach()
        known, strange = (self._measure(given, layers, widths, reference) for given in (normals, anomalies))
        self.weights_, self.intercept_ = log_odds(known, strange, self.name)
        self.layers_, self.widths_, self.reference_ = layers, widths, reference

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        measured = self._measure(features, self.layers_, self.widths_, self.reference_)
        return measured @ self.weights_.to(measured) + self.intercept_

    def _measure(self, features: FeatureSet, layers: list[str], widths: list[int], reference: Tensor) -> Tensor:
        """Return the dimensionality in every layer, z last (N, L + 1)."""
        hidden = side_by_side(features, layers, widths[:-1], self.name)
        whole = torch.cat([hidden, features.z], 1)
        pairs = zip(torch.split(whole, widths, 1), torch.split(reference.to(whole), widths, 1), strict=True)
        return torch.stack([local_dimensionality(z, batch, self.k) for z, batch in pairs], 1)


def local_dimensionality(z: Float[Tensor, "n d"], reference: Float[Tensor, "r d"], k: int) -> Float[Tensor, " n"]:
    """Return −[(1/k) Σ_i log(r_i/r_k)]⁻¹ (N,), r the distances to the k nearest of `reference`, at most a million.

    Of the reference what coincides with z does not count; if fewer than k are left, k is less; where none is left it is 0.

    >>> local_dimensionality(torch.tensor([[0.0]]), torch.tensor([[1.0], [-2.0], [4.0]]), 2)  # 2 / log 2
    tensor([2.8854])
    """
    # Distances by differences, not by a product, in which small ones would drown.
    distances = torch.cdist(z, reference, compute_mode="donot_use_mm_for_euclid_dist")
    itself = distances <= _COINCIDENT * distances.detach().amax(1, keepdim=True)
    nearest = distances.masked_fill(itself, torch.inf).topk(k, largest=False).values  # ascending
    counts = nearest.isfinite()
    farthest = nearest.gather(1, (counts.sum(1, keepdim=True) - 1).clamp_min(0))
    # log1p of a difference: far away all ratios are near 1. What does not count has the ratio 1, before any infinity is divided.
    alone = ~counts.any(1)
    farthest = farthest.masked_fill(alone[:, None], 1.0)
    ratios = ((torch.where(counts, nearest, farthest) - farthest) / farthest).log1p()
    mean = -ratios.sum(1) / counts.sum(1).clamp_min(1)
    return (1 / mean.clamp_min(_LEAST_MEAN)).masked_fill(alone, 0.0)
