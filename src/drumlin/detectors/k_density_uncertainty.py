"""Kernel density and what dropout changes, weighed against one another."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from drumlin.detectors._regression import log_odds
from drumlin.detectors.base import Detector
from drumlin.detectors.k_density import KDensity
from drumlin.features import FeatureRequest, FeatureSet


class KDensityUncertainty(Detector):
    """Log-odds of an anomaly by K-density and uncertainty (KD + BU): s = b + w_1 K-density + w_2 u, u = (1/T) Σ_t ‖p_t‖² − ‖p̄‖².

    p_t are the class probabilities of T passes with dropout; u is their variance, summed over classes. w and b are those of a
    logistic regression that tells held-out normal samples from known anomalies. Draws are needed of these and of what is scored, not
    of the training samples. K-density is conditional on the class y.

    Args:
        bandwidth: of the K-density; None to choose it from training features.
        draws: T, at least 2.
        seed: of the K-density's subsamples.

    Attributes:
        density_: the fitted `KDensity`.
        weights_, intercept_: w (2,) and b.

    Raises:
        ValueError: an argument out of range; when fitting, what `KDensity` raises, and fewer than two normals or anomalies; a number
            of draws that is not T.

    >>> z, draws = torch.tensor([[0.0], [1.0]]), torch.tensor([[[1.0, 0.0]] * 2, [[1.0, 0.0]] * 2])
    >>> normals = FeatureSet(z, torch.eye(2), torch.tensor([0, 1]), draws=draws)
    >>> anomalies = FeatureSet(z + 5, torch.eye(2), draws=draws)
    >>> detector = KDensityUncertainty(bandwidth=1.0, draws=2).fit(normals, normals=normals, anomalies=anomalies)
    >>> bool((detector.score(anomalies) > 0).all()), bool((detector.score(normals) < 0).all())
    (True, True)

    Source: Feinman et al., Detecting Adversarial Samples from Artifacts, 2017; T Tables 7 and 8.
    """

    name: ClassVar[str] = "k-density-uncertainty"
    requires: ClassVar[frozenset[str]] = frozenset({"draws", "anomalies"})
    needs_labels: ClassVar[bool] = True

    density_: KDensity
    weights_: Float64[Tensor, " 2"]
    intercept_: float

    def __init__(self, *, bandwidth: float | None = None, draws: int = 50, seed: int = 0) -> None:
        if draws < 2:
            raise ValueError(f"draws must be at least 2, got {draws}: one draw has no variance")
        self.bandwidth = bandwidth
        self.draws = draws
        self.seed = seed
        self.density_ = self._density()

    @property
    def request(self) -> FeatureRequest:
        """T draws."""
        return FeatureRequest(draws=self.draws)

    def _density(self) -> KDensity:
        return KDensity(bandwidth=self.bandwidth, seed=self.seed)

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        assert anomalies is not None
        assert normals is not None
        density = self._density().fit(features)
        known, strange = (self._measure(density, given, given.prediction) for given in (normals, anomalies))
        self.weights_, self.intercept_ = log_odds(known, strange, self.name)
        self.density_ = density

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        measured = self._measure(self.density_, features, y)
        return measured @ self.weights_.to(measured) + self.intercept_

    def _measure(self, density: KDensity, features: FeatureSet, y: Tensor) -> Tensor:
        """Return K-density and uncertainty (N, 2)."""
        assert features.draws is not None
        if len(features.draws) != self.draws:
            raise ValueError(
                f"detector {self.name!r} takes {self.draws} draws, the features have {len(features.draws)}: ask feature_set for"
                f" draws={self.draws}"
            )
        return torch.stack([density.score(features, y), uncertainty(features.draws)], 1)


def uncertainty(draws: Float[Tensor, "t n k"]) -> Float[Tensor, " n"]:
    """Return (1/T) Σ_t ‖p_t‖² − ‖p̄‖² (N,) of probabilities (T, N, K): as a variance, which does not cancel and is never negative.

    >>> uncertainty(torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]))
    tensor([0.5000])
    """
    return (draws - draws.mean(0)).square().mean(0).sum(1)
