"""Kernel density of the features of one class."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from drumlin.detectors._classes import CHUNK, MAX_FEATURES, class_counts, score_by_class, subsample
from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet

_MAX_FEATURES = MAX_FEATURES
_MAX_FEATURES_FOR_BANDWIDTH = 2_000
_CHUNK = CHUNK
_GRID = tuple(2 ** (step / 4) for step in range(-16, 9))
"""Candidate bandwidths, in units of the pooled standard deviation of a dimension within a class."""


class KDensity(Detector):
    """Kernel density of z among the training features of a class: s = −log (1/|X_y|) Σ_{x∈X_y} exp(−‖z−x‖²/σ²).

    X_y are the training features whose label is y, σ = √2 × `bandwidth`. Of more than 50,000 a seeded, stratified subsample is
    kept (at least one a class).

    Args:
        bandwidth: as scikit-learn's `KernelDensity` has it, in units of z, above 0. None: chosen when fitted, from training
            features alone, as that of 25 values around their spread within classes which makes each of at most 2,000 (seeded,
            stratified) most likely given the others of its class.
        seed: of the subsamples.

    Attributes:
        bandwidth_: the one in use.
        features_: what is kept (M, D), class by class.
        counts_: how many of each class (K,).

    Raises:
        ValueError: an argument out of range; when fitting: a class without samples, or features that leave nothing to choose a
            bandwidth from.

    >>> z, logits = torch.tensor([[0.0], [2.0], [9.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> detector = KDensity(bandwidth=1.0).fit(FeatureSet(z, logits, torch.tensor([0, 0, 1])))
    >>> detector.score(FeatureSet(torch.tensor([[0.0], [2.0], [6.0]]), logits))  # −log((1 + e^(−4/2)) / 2) twice, and 3²/2
    tensor([0.5662, 0.5662, 4.5000])

    Source: Feinman et al., Detecting Adversarial Samples from Artifacts, 2017, §4.1; T §4.4.
    """

    name: ClassVar[str] = "k-density"
    needs_labels: ClassVar[bool] = True

    bandwidth_: float
    features_: Float[Tensor, "m d"]
    counts_: Int[Tensor, " k"]

    def __init__(self, *, bandwidth: float | None = None, seed: int = 0) -> None:
        if bandwidth is not None and not (math.isfinite(bandwidth) and bandwidth > 0):
            raise ValueError(f"bandwidth must be above 0, or None to choose it from training features, got {bandwidth}")
        self.bandwidth = bandwidth
        self.seed = seed

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        assert features.y is not None
        z, y = features.z.detach(), features.y.to(features.z.device)
        counts = class_counts(y, features.logits.shape[1], self.name)
        bandwidth = self.bandwidth
        if bandwidth is None:
            chosen = subsample(y, _MAX_FEATURES_FOR_BANDWIDTH, self.seed)
            bandwidth = choose_bandwidth(z[chosen], y[chosen])
        kept = subsample(y, _MAX_FEATURES, self.seed)
        kept = kept[y[kept].argsort(stable=True)]
        self.bandwidth_ = bandwidth
        self.features_ = z[kept].clone()
        self.counts_ = torch.bincount(y[kept], minlength=len(counts))

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        classes = torch.split(self.features_, self.counts_.tolist())
        return score_by_class(features.z, y, lambda z, k: negative_log_kernel_density(z, classes[k], self.bandwidth_))


def negative_log_kernel_density(
    z: Float[Tensor, "n d"], x: Float[Tensor, "m d"], bandwidth: float
) -> Float[Tensor, " n"]:
    """Return −log (1/M) Σ_x exp(−‖z−x‖²/2h²) (N,) for the bandwidth h, in float32 or wider.

    With both centred, −‖z−x‖²/2h² = −‖z‖²/2h² + (2 z·x − ‖x‖²)/2h²: a linear layer, then a log-sum-exp over x, chunk by chunk.

    >>> negative_log_kernel_density(torch.tensor([[3.0]]), torch.tensor([[0.0]]), 1.0)
    tensor([4.5000])
    """
    x = x.to(z.device, torch.promote_types(z.dtype, torch.float32))
    scale = 1 / (2 * bandwidth**2)
    centre = x.mean(0)
    z, x = z.to(x.dtype) - centre, x - centre
    log_sum = z.new_full((len(z),), -torch.inf)
    for chunk in torch.split(x, _CHUNK):
        exponent = torch.addmm(chunk.square().sum(1), z, chunk.T, beta=-scale, alpha=2 * scale)
        log_sum = torch.logaddexp(log_sum, exponent.logsumexp(1))
    return scale * z.square().sum(1) - log_sum + math.log(len(x))


def choose_bandwidth(z: Float[Tensor, "n d"], y: Int[Tensor, " n"]) -> float:
    """Return the bandwidth h that makes each feature most likely given the others of its class (leave-one-out likelihood).

    log p(z_i | the others) = log (1/(n_y−1)) Σ_{j≠i} exp(−‖z_i−z_j‖²/2h²) − D log h + constant, summed over i; the best of 25
    values from 1/16 to 4 times s, s² the mean variance of a dimension within classes. Classes of one sample do not count.

    Raises:
        ValueError: no class has two samples that differ.

    >>> z = torch.tensor([[0.0], [1.0]])  # the best h² is the one pair's squared distance
    >>> round(choose_bandwidth(z, torch.tensor([0, 0])), 6)
    1.0
    """
    z = z.double()
    groups = [z[y == k] for k in torch.unique(y).tolist()]
    groups = [group - group.mean(0) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in groups)
    variance = sum(float(group.square().sum()) for group in groups) / (max(freedom, 1) * z.shape[1])
    if variance == 0:
        raise ValueError(
            "no bandwidth can be chosen from these training features: no class has two that differ; give a bandwidth"
        )
    bandwidths = [math.sqrt(variance) * factor for factor in _GRID]
    likelihoods = [0.0] * len(bandwidths)
    for group in groups:
        distances = torch.cdist(group, group).square_().fill_diagonal_(torch.inf)
        for place, h in enumerate(bandwidths):
            each = (distances / (-2 * h * h)).logsumexp(1) - math.log(len(group) - 1) - z.shape[1] * math.log(h)
            likelihoods[place] += float(each.sum())
    return bandwidths[max(range(len(bandwidths)), key=likelihoods.__getitem__)]
