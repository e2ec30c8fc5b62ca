"""Distance to the nearest class, in units of the spread that all classes share."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from drumlin.detectors._classes import class_counts
from drumlin.detectors._gaussians import class_means, pooled_covariance, whitening
from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet
from drumlin.functional import distance_logits
from drumlin.functional._numerics import compute_dtype


class Mahalanobis(Detector):
    """Squared Mahalanobis distance to the nearest class mean: s = min_k (z−μ_k)ᵀ Σ⁻¹ (z−μ_k).

    μ_k are the means of the training features by label, Σ = (1/N) Σ_i (z_i−μ_{y_i})(z_i−μ_{y_i})ᵀ is what they share (divided by N, as
    the paper does, not by N−K). A variance below 1e-8 of the largest counts as that much. The nearest class need not be the predicted
    one: the score is of the input as a whole, and a class given with y is not looked at.

    Attributes:
        centre_: mean of all training features (D,).
        whitening_: A (D, D) with A Aᵀ = Σ⁻¹.
        means_: (μ_k − centre_) A (K, D).

    Raises:
        ValueError: when fitting: a class without samples, or features that do not vary within classes.

    >>> import torch
    >>> z, logits = torch.tensor([[0.0], [2.0], [9.0], [11.0]]), torch.eye(2).repeat_interleave(2, 0)
    >>> detector = Mahalanobis().fit(FeatureSet(z, logits, torch.tensor([0, 0, 1, 1])))  # means 1 and 10, Σ = 1
    >>> detector.score(FeatureSet(torch.tensor([[1.0], [4.0], [12.0]]), logits[:3]))
    tensor([0., 9., 4.])

    Source: Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks, NeurIPS 2018,
    eq. 2, of the last layer and without their change of the input.
    """

    name: ClassVar[str] = "mahalanobis"
    needs_labels: ClassVar[bool] = True

    centre_: Float[Tensor, " d"]
    whitening_: Float[Tensor, "d d"]
    means_: Float[Tensor, "k d"]

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        assert features.y is not None
        z, y = features.z.detach(), features.y.to(features.z.device)
        counts = class_counts(y, features.logits.shape[1], self.name)
        means = class_means(z, y, counts)
        centre = (counts[:, None] * means).sum(0) / len(z)
        matrix, _ = whitening(pooled_covariance(z, y, means))
        dtype = compute_dtype(z)
        self.centre_ = centre.to(dtype)
        self.whitening_ = matrix.to(dtype)
        self.means_ = ((means - centre) @ matrix).to(dtype)

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        white = self._centred(features.z) @ self.whitening_.to(features.z)
        means = self.means_.to(white)
        # The product of matrices tells which mean is nearest; its distance, which may be far smaller than the others, is direct.
        nearest = distance_logits(white.detach(), means).argmax(1)
        return (white - means[nearest]).square().sum(1)

    def _centred(self, z: Tensor) -> Tensor:
        return z - self.centre_.to(z)
