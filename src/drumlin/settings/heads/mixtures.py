"""Settings of the heads whose classes are Gaussians in feature space."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from drumlin.settings.heads.base import HeadSettings

Covariance = Literal["identity", "isotropic", "diagonal"]
Margin = Literal["adaptive", "constant"]
Likelihood = Literal["mixture_bound", "component"]
Matmul = Literal["float32", "bfloat16"]
_WARMUP_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class GaussianMixtureSettings(HeadSettings):
    """GM, a Gaussian a class with a margin: identity covariance and the bound on the whole mixture by default."""

    _name: ClassVar[str] = "gm"
    formula: ClassVar[str] = "CE with (1+α) d_y for d_y, + λ (1/K) Σ_k ‖z−μ_k‖²; logits log p(z, k), d_k = ½ ‖z−μ_k‖²"
    source: ClassVar[str] = "T eq. 1-8, 17-20"

    covariance: Covariance = "identity"
    """Covariance of each class: identity, isotropic (one variance a class) or diagonal."""
    margin: float = 0.3
    """α of an adaptive margin (a factor), or m of a constant one (nats), at least 0.

    With α = 1 a training now and then falls behind and stays there; gradients clipped to a norm of 1 have mended that."""
    margin_kind: Margin = "adaptive"
    """The true class's distance d becomes (1 + α) d if adaptive, d + m if constant."""
    likelihood: Likelihood = "mixture_bound"
    """Likelihood term: the bound on the whole mixture (T eq. 7), or the true class's component (L eq. 10)."""
    likelihood_weight: float = 0.1
    """λ, the weight of the likelihood term, at least 0."""
    warmup_steps: int | None = None
    """Training steps over which margin and likelihood weight ramp up from 0. None: the first quarter of the training."""
    learned_prior: bool = False
    """Learn p(k); otherwise it is uniform."""
    min_var: float = 1e-3
    """Floor under the learned variances."""
    class_chunk: int | None = None
    """Classes a chunk; with it the (samples, classes) matrix is never held. None: all at once."""
    matmul: Matmul = "float32"
    """Precision of the operands of the matrix products; sums and the true class's distance stay float32."""

    def resolved(self, steps: int) -> Self:
        """Return the settings with `warmup_steps` for a training of `steps` steps."""
        return (
            self
            if self.warmup_steps is not None
            else dataclasses.replace(self, warmup_steps=round(steps * _WARMUP_SHARE))
        )


@dataclass(frozen=True, kw_only=True)
class LargeMarginSettings(GaussianMixtureSettings):
    """L-GM, a Gaussian a class with a margin: learned diagonal covariances, likelihood of the true class's component."""

    _name: ClassVar[str] = "lgm"
    formula: ClassVar[str] = (
        "CE with (1+α) d_y for d_y, + λ (d_y + ½ log|Λ_y|); logits log p(z, k), d_k = ½ (z−μ_k)ᵀ Λ_k⁻¹ (z−μ_k)"
    )
    source: ClassVar[str] = "L eq. 12-18"

    covariance: Covariance = "diagonal"
    likelihood: Likelihood = "component"


@dataclass(frozen=True, kw_only=True)
class MaxMahalanobisSettings(HeadSettings):
    """Equal Gaussians at fixed means, as far apart as a sphere allows; needs at least K−1 feature dimensions."""

    _name: ClassVar[str] = "max-mahalanobis"
    formula: ClassVar[str] = "CE, logits −½ ‖z−μ*_k‖²; μ* fixed, ‖μ*_k‖ = norm, μ*_j·μ*_k = −norm²/(K−1)"
    source: ClassVar[str] = "Pang, Du & Zhu, Max-Mahalanobis Linear Discriminant Analysis Networks, ICML 2018"

    norm: float = 10.0
    """Length of every mean."""
