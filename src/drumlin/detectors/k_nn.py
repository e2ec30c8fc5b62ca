"""Distance to the k-th nearest training feature."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from drumlin.detectors._classes import MAX_FEATURES, subsample
from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet
from drumlin.functional import nearest
from drumlin.functional._numerics import compute_dtype

_K = 50
_MAX_FEATURES = MAX_FEATURES
_QUERIES = 1_024
"""Features scored at once."""


class KNN(Detector):
    """Distance to the k-th nearest training feature, all of length 1: s = ‖z/‖z‖ − x_(k)/‖x_(k)‖‖, in [0, 2].

    Of more than 50,000 training features a seeded, stratified subsample is kept. A feature of length 0 stays 0, at distance 1 from all
    others. The score is of the input as a whole: a class given with y is not looked at. Neighbours are found by products in float32,
    so that those nearer than about 5e-4 are in no particular order; the distance to the one found is exact.

    Args:
        k: which neighbour, at least 1. None: 50, as the paper has for CIFAR-10 (it takes 200 for CIFAR-100 and 1,000 for ImageNet), or
            the farthest where there are fewer.
        seed: of the subsample.

    Attributes:
        k_: the neighbour in use.
        features_: what is kept (M, D), of length 1.

    Raises:
        ValueError: k below 1; when fitting: fewer than k training features.

    >>> z, logits = torch.tensor([[1.0, 0.0], [3.0, 3.0], [0.0, 2.0]]), torch.zeros(3, 2)
    >>> KNN(k=2).fit(FeatureSet(z, logits)).score(FeatureSet(torch.tensor([[5.0, 0.0]]), logits[:1]))  # to (1, 1)/√2
    tensor([0.7654])

    Source: Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022.
    """

    name: ClassVar[str] = "k-nn"

    k_: int
    features_: Float[Tensor, "m d"]

    def __init__(self, *, k: int | None = None, seed: int = 0) -> None:
        if k is not None and k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.k = k
        self.seed = seed

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        strata = features.prediction if features.y is None else features.y.to(features.z.device)
        kept = subsample(strata, _MAX_FEATURES, self.seed)
        self.k_ = min(_K, len(kept)) if self.k is None else self.k
        if self.k_ > len(kept):
            raise ValueError(
                f"k must be at most the {len(kept)} training features that are kept, got {self.k_}: give a smaller k"
            )
        z = features.z.detach()[kept]
        self.features_ = F.normalize(z.to(compute_dtype(z)))

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        x = self.features_.to(features.z)
        z = F.normalize(features.z)
        difference = z - x[kth_nearest(z.detach(), x, self.k_)]
        distance: Tensor = torch.linalg.vector_norm(difference, dim=1)  # whose gradient at distance 0 is 0
        return distance


def kth_nearest(z: Float[Tensor, "n d"], x: Float[Tensor, "m d"], k: int) -> Int[Tensor, " n"]:
    """Return the place in x of the k-th nearest to each z (N,).

    >>> kth_nearest(torch.tensor([[0.0]]), torch.tensor([[5.0], [1.0], [-2.0]]), 2).tolist()
    [2]
    """
    # k places a sample are held only of so many samples at once.
    found = [nearest(queries, x, k)[:, -1] for queries in torch.split(z, _QUERIES)]
    return torch.cat([z.new_zeros(0, dtype=torch.int64), *found])
