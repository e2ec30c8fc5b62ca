"""How sure the classifier is not: the probability left over by the most probable class."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet


class MSP(Detector):
    """Maximum softmax probability, as s = log(1 − p_max) = log sigmoid(log Σ_{k≠y} exp(l_k) − l_y), l the logits.

    In float32 p_max is exactly 1 for a large share of inputs; this form still ranks them. With a class y given, log(1 − p_y).

    >>> features = FeatureSet(torch.zeros(2, 1), torch.tensor([[0.0, 0.0], [60.0, 0.0]]))
    >>> MSP().fit(features).score(features)
    tensor([ -0.6931, -60.0000])

    Source: Hendrycks & Gimpel, ICLR 2017, §2, whose score 1 − p_max has the same order.
    """

    name: ClassVar[str] = "msp"

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        """Nothing to fit."""

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        own = F.one_hot(y, features.logits.shape[1]).bool()
        others = features.logits.masked_fill(own, -torch.inf).logsumexp(1)
        return F.logsigmoid(others - features.logits.gather(1, y[:, None]).squeeze(1))
