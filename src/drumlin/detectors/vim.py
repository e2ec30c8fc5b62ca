"""A virtual logit: how far features lie from the space in which training features vary most."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor

from drumlin.detectors._classes import CHUNK
from drumlin.detectors._gaussians import pooled_covariance
from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet
from drumlin.functional._numerics import compute_dtype
from drumlin.heads import GaussianMixtureHead, Head, MaxMahalanobisHead, MetricHead, ReverseCrossEntropyHead
from drumlin.heads.linear import LinearHead


def principal_dimension(width: int) -> int:
    """Return the dimension of the principal space for features of `width`, unless it is given.

    >>> principal_dimension(2048), principal_dimension(768), principal_dimension(767)
    (1000, 512, 383)
    """
    return next((dimension for least, dimension in ((2048, 1000), (768, 512)) if width >= least), width // 2)


@singledispatch
def linear_form(head: Head) -> tuple[Tensor, Tensor] | None:
    """Return W (K, D) and b (K,), detached, whose softmax(Wz + b) is the head's posterior; None where there are none.

    A new head registers its own form here.
    """
    return None


@linear_form.register
def _(head: LinearHead) -> tuple[Tensor, Tensor] | None:
    weight, bias = head.linear.weight.detach(), head.linear.bias
    return weight, weight.new_zeros(len(weight)) if bias is None else bias.detach()


@linear_form.register
def _(head: ReverseCrossEntropyHead) -> tuple[Tensor, Tensor] | None:
    weight, bias = head.linear.weight.detach(), head.linear.bias.detach()
    return -weight, -bias  # its logits are −(Wz + b)


@linear_form.register
def _(head: MaxMahalanobisHead) -> tuple[Tensor, Tensor] | None:
    return _of_means(head.class_means)


@linear_form.register
def _(head: MetricHead) -> tuple[Tensor, Tensor] | None:
    if head.linear is None:
        return _of_means(cast(Tensor, head.class_means))
    return head.linear.weight.detach(), head.linear.bias.detach()


@linear_form.register
def _(head: GaussianMixtureHead) -> tuple[Tensor, Tensor] | None:
    if head.covariance != "identity":
        return None
    weight, bias = _of_means(head.class_means)
    # Measured against the uniform prior: with a uniform one given the form is that without any.
    prior = head.log_prior
    return weight, bias if prior is None else bias + prior.detach() + math.log(len(bias))


def _of_means(means: Tensor) -> tuple[Tensor, Tensor]:
    """−½ ‖z−μ_k‖² without −½ ‖z‖², which cancels in the softmax."""
    return means, -0.5 * means.square().sum(1)


class ViM(Detector):
    """Virtual-logit matching: s = α ‖P⊥(z − o)‖ − log Σ_k exp(w_k·z + b_k), o = −W⁺b.

    P⊥ projects onto the directions in which the training features vary least about o; α = Σ max_k (w_k·z + b_k) / Σ ‖P⊥(z − o)‖, over
    the training features, makes the norm as large as a logit. For heads with linear logits. Where logits are −½ ‖z−μ_k‖² (Gaussian
    mixtures with Λ = I, max-Mahalanobis, a metric loss alone) the linear form is meant, W = μ, b = −½ ‖μ‖² (+ log K p(k)), for the
    largest logit and the log-sum-exp too. The score is of the input as a whole: a class given with y is not looked at.

    Args:
        dimension: of the principal space, which P⊥ leaves out, below D. None: 1,000 of D ≥ 2,048, 512 of D ≥ 768,
            else ⌊D/2⌋.

    Attributes:
        origin_: o (D,).
        residual_: orthonormal directions (D, D − dimension).
        alpha_: α.

    Raises:
        ValueError: a negative dimension; when fitting: one of D or more; training features whose mean largest logit is not above 0, or
            that all lie at o.

    A residual of less than the rounding of the features counts as that much in α, so that features within the principal space do not
    make it infinite.

    >>> from drumlin.heads import SoftmaxHead
    >>> head = SoftmaxHead(2, 2, bias=False)
    >>> _ = head.linear.weight.data.copy_(torch.eye(2))
    >>> z = torch.tensor([[4.0, 1.0], [4.0, -1.0]])  # α = (4 + 4) / (1 + 1)
    >>> detector = ViM().fit(FeatureSet(z, head.logits(z).detach()), head=head)
    >>> detector.score(FeatureSet(torch.tensor([[4.0, 4.0]]), torch.zeros(1, 2)))  # 4·4 − (4 + log 2)
    tensor([11.3069])

    Source: Wang et al., ViM: Out-Of-Distribution with Virtual-logit Matching, CVPR 2022, eq. 4 and 6, and the authors' code. It takes
    512 dimensions of any fewer than 2,048, which leaves nothing of 512 or fewer: half of fewer than 768 is our choice.
    """

    name: ClassVar[str] = "vim"
    requires: ClassVar[frozenset[str]] = frozenset({"head"})

    origin_: Float[Tensor, " d"]
    residual_: Float[Tensor, "d r"]
    alpha_: float

    def __init__(self, *, dimension: int | None = None) -> None:
        if dimension is not None and dimension < 0:
            raise ValueError(
                f"dimension must be at least 0, or None to choose it by the features' width, got {dimension}"
            )
        self.dimension = dimension

    @classmethod
    def supports(cls, head: Head) -> bool:
        """Whether the head's posterior is a softmax of something linear."""
        return linear_form(head) is not None

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        z = features.z.detach()
        width = z.shape[1]
        dimension = principal_dimension(width) if self.dimension is None else self.dimension
        if dimension >= width:
            raise ValueError(
                f"dimension must be below the {width} of the features, or there is no residual, got {dimension}"
            )
        weight, bias = (part.double() for part in self._linear_form(z))
        origin = -torch.linalg.pinv(weight) @ bias
        covariance = pooled_covariance(z, z.new_zeros(len(z), dtype=torch.int64), origin[None])
        residual = torch.linalg.eigh(covariance).eigenvectors[:, : width - dimension]  # variances ascend
        largest, norms, least = 0.0, 0.0, 0.0
        for chunk in torch.split(z, CHUNK):
            centred = chunk.double() - origin
            largest += float((chunk.double() @ weight.T + bias).amax(1).sum())
            norms += float(torch.linalg.vector_norm(centred @ residual, dim=1).sum())
            least += float(torch.linalg.vector_norm(centred, dim=1).sum()) * torch.finfo(z.dtype).eps
        if largest <= 0:
            raise ValueError(
                f"the training features' largest logit is {largest / len(z):.4g} in the mean: detector {self.name!r} makes the"
                " residual as large as that, so it must be above 0"
            )
        if least == 0:
            raise ValueError(f"the training features all lie at the origin of detector {self.name!r}: no residual")
        dtype = compute_dtype(z)
        self.origin_ = origin.to(dtype)
        self.residual_ = residual.to(dtype).contiguous()
        self.alpha_ = largest / max(norms, least)

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        z = features.z
        weight, bias = self._linear_form(z)
        norm: Tensor = torch.linalg.vector_norm((z - self.origin_.to(z)) @ self.residual_.to(z), dim=1)
        return self.alpha_ * norm - torch.addmm(bias, z, weight.T).logsumexp(1)

    def _linear_form(self, z: Tensor) -> tuple[Tensor, Tensor]:
        weight, bias = cast(tuple[Tensor, Tensor], linear_form(cast(Head, self.head_)))
        return weight.to(z), bias.to(z)
