"""The largest logit."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet


class MaxLogit(Detector):
    """Largest logit, s = −max_k l_k; with a class y given, −l_y.

    >>> import torch
    >>> features = FeatureSet(torch.zeros(1, 1), torch.tensor([[3.0, 5.0]]))
    >>> MaxLogit().fit(features).score(features)
    tensor([-5.])

    Source: Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022.
    """

    name: ClassVar[str] = "max-logit"

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        """Nothing to fit."""

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        return -features.logits.gather(1, y[:, None]).squeeze(1)
