"""A Gaussian a class, each with a covariance of its own, fitted to the training features."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from sklearn.covariance import empirical_covariance, oas, shrunk_covariance
from torch import Tensor

from drumlin.detectors._classes import class_counts
from drumlin.detectors._gaussians import whitening
from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet
from drumlin.functional._numerics import compute_dtype


class GDA(Detector):
    """Gaussian discriminant analysis, negative log-density in nats: s = −log Σ_k π_k N(z; μ_k, Σ_k), with full covariances.

    π_k, μ_k, S_k are share, mean and covariance (divided by n_k) of the training features with label k, and
    Σ_k = (1−ρ_k) S_k + ρ_k (tr S_k/D) I. The score is of the input as a whole: a class given with y is not looked at. The state has
    K D² numbers.

    Args:
        shrinkage: ρ in [0, 1] of all classes; None chooses each by scikit-learn's oracle approximating shrinkage (Chen et al. 2010):
            nearly 0 for a class of many features, nearly 1 for one of a few, which makes any covariance regular. With 0 every class
            needs more than D features, that vary in all directions.

    Attributes:
        means_: μ_k (K, D).
        whitenings_: A_k (K, D, D) with A_k A_kᵀ = Σ_k⁻¹.
        log_weights_: log π_k − ½ log|Σ_k| − (D/2) log 2π (K,).
        shrinkages_: ρ_k (K,).

    Raises:
        ValueError: shrinkage out of range; when fitting: a class of fewer than two features, or of features that coincide, or a
            singular covariance with shrinkage 0.

    >>> z, logits = torch.tensor([[-1.0], [1.0], [9.0], [11.0]]), torch.eye(2).repeat_interleave(2, 0)
    >>> detector = GDA(shrinkage=0.0).fit(FeatureSet(z, logits, torch.tensor([0, 0, 1, 1])))
    >>> detector.score(FeatureSet(torch.tensor([[0.0], [12.0]]), logits[:2]))  # log 2√2π, and 2²/2 more
    tensor([1.6121, 3.6121])

    Source: Mukhoti et al., Deep Deterministic Uncertainty, CVPR 2023. Differs from it: the authors' code divides by n_k − 1, and
    adds to all covariances the least multiple of I with which none of them fails to be factored.
    """

    name: ClassVar[str] = "gda"
    needs_labels: ClassVar[bool] = True

    means_: Float[Tensor, "k d"]
    whitenings_: Float[Tensor, "k d d"]
    log_weights_: Float[Tensor, " k"]
    shrinkages_: Float[Tensor, " k"]

    def __init__(self, *, shrinkage: float | None = None) -> None:
        if shrinkage is not None and not 0 <= shrinkage <= 1:
            raise ValueError(f"shrinkage must lie in [0, 1], or be None to choose it a class, got {shrinkage}")
        self.shrinkage = shrinkage

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        assert features.y is not None
        z, y = features.z.detach(), features.y.to(features.z.device)
        counts = class_counts(y, features.logits.shape[1], self.name, at_least=2)
        groups = torch.split(z[y.argsort(stable=True)], counts.tolist())
        dtype = compute_dtype(z)
        gaussians = ([part.to(dtype) for part in self._gaussian(group, k)] for k, group in enumerate(groups))
        self.means_, self.whitenings_, log_dets, self.shrinkages_ = map(torch.stack, zip(*gaussians, strict=True))
        constants = (counts / len(z)).log() - 0.5 * z.shape[1] * math.log(2 * math.pi)
        self.log_weights_ = constants.to(dtype) - 0.5 * log_dets

    def _gaussian(self, z: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return mean (D,), whitening (D, D), log-determinant and shrinkage of the Gaussian of class k, from its features."""
        z = z.double()
        values, width = z.cpu().numpy(), z.shape[1]
        covariance = empirical_covariance(values)
        if not covariance.trace() > 0:
            raise ValueError(f"the training features of class {k} all coincide: detector {self.name!r} needs a spread")
        if self.shrinkage == 0 and np.linalg.matrix_rank(covariance, hermitian=True) < width:
            raise ValueError(
                f"the covariance of the {len(z)} training features of class {k} is singular in {width} dimensions: give more of them,"
                " a shrinkage above 0, or shrinkage=None to choose it"
            )
        shrinkage = oas(values)[1] if self.shrinkage is None else self.shrinkage
        matrix, log_det = whitening(torch.from_numpy(shrunk_covariance(covariance, shrinkage)).to(z))
        return z.mean(0), matrix, log_det, z.new_tensor(shrinkage)

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        z = features.z
        means, whitenings, log_weights = (part.to(z) for part in (self.means_, self.whitenings_, self.log_weights_))
        each = [((z - mean) @ matrix).square().sum(1) for mean, matrix in zip(means, whitenings, strict=True)]
        return -(log_weights - 0.5 * torch.stack(each, 1)).logsumexp(1)
