"""How far from the class: the likelihood of the features under the component of one class."""

from __future__ import annotations

from functools import singledispatch
from typing import ClassVar, cast

from torch import Tensor

from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet
from drumlin.functional import center_loss
from drumlin.heads import (
    CenterHead,
    ContrastiveCenterHead,
    GaussianMixtureHead,
    Head,
    MaxMahalanobisHead,
    MetricHead,
)
from drumlin.heads.linear import LinearHead


@singledispatch
def negative_class_likelihood(head: Head, z: Tensor, y: Tensor) -> Tensor:
    """Return how badly z (N, D) fits the classes y (N,), a value a sample; a new head registers its own form here.

    Raises:
        ValueError: no form is known for this head.
    """
    raise ValueError(f"no likelihood of a class is known for a {type(head).__name__}")


@negative_class_likelihood.register
def _(head: LinearHead | MetricHead, z: Tensor, y: Tensor) -> Tensor:
    # A metric loss alone has −½ ‖z − m_k‖² as logits.
    return -head.logits(z).gather(1, y[:, None]).squeeze(1)


@negative_class_likelihood.register
def _(head: CenterHead | ContrastiveCenterHead | MaxMahalanobisHead, z: Tensor, y: Tensor) -> Tensor:
    return center_loss(z, y, head.class_means)


@negative_class_likelihood.register
def _(head: GaussianMixtureHead, z: Tensor, y: Tensor) -> Tensor:
    # The distance to one class is computed directly: the expansion that `logits` uses for all classes cancels where it is small.
    variances = head.variances[y]
    return 0.5 * ((z - head.means[y]).square() / variances + variances.log()).sum(1)


class ComponentLikelihood(Detector):
    """Negative log-likelihood of z under one class, up to a constant: s = d_y + ½ log|Λ_y| for Gaussian mixtures.

    d_y = ½ (z−μ_y)ᵀ Λ_y⁻¹ (z−μ_y). With Λ = I, s = −log of l_GM of the paper. Of heads with a center a class, s = ½ ‖z−c_y‖²;
    of all others s = −logit_y: −(w_y·z + b_y) with a linear layer, its negative under reverse cross entropy.

    >>> import torch
    >>> head, z = GaussianMixtureHead(2, 2), torch.tensor([[3.0, 4.0]])
    >>> _ = torch.nn.init.zeros_(head.means)
    >>> features = FeatureSet(z, head.logits(z).detach())
    >>> ComponentLikelihood().fit(features, head=head).score(features)
    tensor([12.5000])

    Source: L §4.3.
    """

    name: ClassVar[str] = "component-likelihood"
    requires: ClassVar[frozenset[str]] = frozenset({"head"})

    @classmethod
    def supports(cls, head: Head) -> bool:
        """Whether a form of the likelihood is registered for this head."""
        return negative_class_likelihood.dispatch(type(head)) is not negative_class_likelihood.dispatch(object)

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        """Nothing to fit: the parameters are the head's."""

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        head = cast(Head, self.head_)
        return negative_class_likelihood(head, features.z.to(head.device), y.to(head.device)).to(features.z.device)
