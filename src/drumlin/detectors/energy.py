"""The free energy of the logits."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet


class Energy(Detector):
    """Free energy, s = −log Σ_k exp(l_k), the same for every class; of a mixture head's logits it is −log p(z).

    >>> import torch
    >>> features = FeatureSet(torch.zeros(1, 1), torch.zeros(1, 2))
    >>> Energy().fit(features).score(features)
    tensor([-0.6931])

    Source: Liu et al., Energy-based Out-of-distribution Detection, NeurIPS 2020, eq. 4 at temperature 1.
    """

    name: ClassVar[str] = "energy"

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        """Nothing to fit."""

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        return -features.logits.logsumexp(1)
