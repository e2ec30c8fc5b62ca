"""Settings of the heads that add a term on the features themselves to softmax cross entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from drumlin.settings.heads.base import HeadSettings

CenterUpdate = Literal["running", "gradient"]


@dataclass(frozen=True, kw_only=True)
class CenterSettings(HeadSettings):
    """Softmax with center loss: features gather around a center a class."""

    _name: ClassVar[str] = "center"
    formula: ClassVar[str] = "CE + λ ½ ‖z−c_y‖², logits z·w_k + b_k"
    source: ClassVar[str] = "Wen et al., ECCV 2016; L eq. 3, I eq. 5"

    center_weight: float = 0.01
    """λ, the weight of the center loss, at least 0."""
    update: CenterUpdate = "running"
    """How the centers move: by Wen's running rule, or by gradient with the learning rate divided by λ."""
    center_rate: float = 0.5
    """Rate of the running rule, in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class ContrastiveCenterSettings(HeadSettings):
    """Softmax with contrastive-center loss: near one's own center in proportion to the distance of the others."""

    _name: ClassVar[str] = "contrastive-center"
    formula: ClassVar[str] = "CE + λ ½ ‖z−c_y‖² / (Σ_{k≠y} ‖z−c_k‖² + δ), logits z·w_k + b_k"
    source: ClassVar[str] = "Qi & Su, ICIP 2017"

    weight: float = 1.0
    """λ, the weight of the contrastive-center loss, at least 0."""
    delta: float = 1.0
    """δ, keeps the quotient finite; above 0."""


@dataclass(frozen=True, kw_only=True)
class IsotropicSettings(HeadSettings):
    """Softmax with isotropic loss (isomax of 2018): all features at one distance from their common mean."""

    _name: ClassVar[str] = "isotropic"
    formula: ClassVar[str] = "CE + α N/(N−1) (D_i − D̄)², D_i = ‖z_i − z̄‖ over the batch, logits z·w_k + b_k"
    source: ClassVar[str] = "I eq. 3-4, Algorithm 1"

    weight: float = 0.05
    """α, the weight of the isotropic loss, at least 0."""
