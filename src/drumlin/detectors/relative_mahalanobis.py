"""Distance to the nearest class, less the distance to the training features as a whole."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from drumlin.detectors._gaussians import class_means, pooled_covariance, whitening
from drumlin.detectors.mahalanobis import Mahalanobis
from drumlin.features import FeatureSet
from drumlin.functional._numerics import compute_dtype


class RelativeMahalanobis(Mahalanobis):
    """Mahalanobis distance less that to all data: s = min_k (z−μ_k)ᵀ Σ⁻¹ (z−μ_k) − (z−μ₀)ᵀ Σ₀⁻¹ (z−μ₀).

    μ₀ and Σ₀ are mean and covariance (divided by N) of the training features of all classes together. What lies off in a direction in
    which everything varies alike says little about classes, and cancels. As with `Mahalanobis` a class given with y is not looked at.

    Attributes:
        background_: A₀ (D, D) with A₀ A₀ᵀ = Σ₀⁻¹; and those of `Mahalanobis`, whose `centre_` is μ₀.

    Raises:
        ValueError: when fitting: a class without samples, or features that do not vary within classes.

    >>> z, logits = torch.tensor([[0.0], [2.0], [9.0], [11.0]]), torch.eye(2).repeat_interleave(2, 0)
    >>> detector = RelativeMahalanobis().fit(FeatureSet(z, logits, torch.tensor([0, 0, 1, 1])))  # μ₀ = 5.5, Σ₀ = 21.25
    >>> detector.score(FeatureSet(torch.tensor([[5.5], [1.0]]), logits[:2]))  # 4.5² − 0, and 0 − 4.5²/21.25
    tensor([20.2500, -0.9529])

    Source: Ren et al., A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection, 2021.
    """

    name: ClassVar[str] = "relative-mahalanobis"

    background_: Float[Tensor, "d d"]

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        super()._fit(features, anomalies, normals)
        z = features.z.detach()
        everything = z.new_zeros(len(z), dtype=torch.int64)
        mean = class_means(z, everything, everything.new_tensor([len(z)]))
        covariance = pooled_covariance(z, everything, mean)
        self.background_ = whitening(covariance)[0].to(compute_dtype(z))

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        background = self._centred(features.z) @ self.background_.to(features.z)
        return super()._score(features, y) - background.square().sum(1)
