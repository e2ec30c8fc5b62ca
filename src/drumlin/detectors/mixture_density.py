"""How likely the features are at all, under a Gaussian mixture head."""

from __future__ import annotations

from typing import ClassVar, Protocol, cast, runtime_checkable

from torch import Tensor

from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet
from drumlin.heads import Head


@runtime_checkable
class DensityHead(Protocol):
    """A head that is a density of features."""

    def log_density(self, z: Tensor) -> Tensor:
        """Return log p(z) (N,)."""


class MixtureDensity(Detector):
    """Negative log-density of the features in nats: s = −log p(z), p(z) = Σ_k p(k) N(z; μ_k, Λ_k).

    For mixture heads only; the same for every class.

    >>> import torch
    >>> from drumlin.heads import GaussianMixtureHead
    >>> head, z = GaussianMixtureHead(2, 2), torch.zeros(1, 2)
    >>> _ = torch.nn.init.zeros_(head.means)
    >>> features = FeatureSet(z, head.logits(z).detach())
    >>> MixtureDensity().fit(features, head=head).score(features)  # log 2π
    tensor([1.8379])

    Source: L eq. 4, T eq. 1.
    """

    name: ClassVar[str] = "mixture-density"
    requires: ClassVar[frozenset[str]] = frozenset({"head"})

    @classmethod
    def supports(cls, head: Head) -> bool:
        """Whether the head has a density."""
        return isinstance(head, DensityHead)

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        """Nothing to fit: the parameters are the head's."""

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        head = cast(Head, self.head_)
        return -cast(DensityHead, head).log_density(features.z.to(head.device)).to(features.z.device)
