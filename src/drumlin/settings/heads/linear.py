"""Settings of the heads that classify by a linear layer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Self

from drumlin.settings.heads.base import HeadSettings


@dataclass(frozen=True, kw_only=True)
class SoftmaxSettings(HeadSettings):
    """A linear layer under softmax cross entropy."""

    _name: ClassVar[str] = "softmax"
    formula: ClassVar[str] = "CE, logits z·w_k + b_k"
    source: ClassVar[str] = "L eq. 1-2; label smoothing: Szegedy et al., CVPR 2016"

    bias: bool = True
    """Whether the linear layer has a bias."""
    label_smoothing: float = 0.0
    """Probability mass moved from the true class to all classes alike, in [0, 1)."""


@dataclass(frozen=True, kw_only=True)
class LSoftmaxSettings(HeadSettings):
    """A linear layer in which the angle to the true class's weights counts m times, at first hardly, later fully."""

    _name: ClassVar[str] = "l-softmax"
    formula: ClassVar[str] = (
        "CE with (β cos θ_y + ψ(θ_y)) / (1+β) for cos θ_y, ψ(θ) = (−1)^j cos(mθ) − 2j; logits ‖w_k‖ ‖z‖ cos θ_k"
    )
    source: ClassVar[str] = "S; Liu et al., ICML 2016"

    margin: int = 4
    """m, by which the angle is multiplied, at least 1; 1 is softmax."""
    beta: float = 1000.0
    """β at the first step, the share of plain softmax; at step t it is max(beta-min, beta (1 + gamma t)^-power)."""
    beta_min: float = 0.0
    """What β never falls below."""
    gamma: float | None = None
    """How fast β falls. None: 0.75 / steps of the training, as in the authors' 30,000 steps; β reaches 1 after 29% of them."""
    power: float = 35.0
    """The power with which β falls."""

    def resolved(self, steps: int) -> Self:
        """Return the settings with `gamma` for a training of `steps` steps."""
        return self if self.gamma is not None else dataclasses.replace(self, gamma=_GAMMA_STEPS / steps)


_GAMMA_STEPS = 0.75
"""γ = 2.5e-5 over the 30,000 steps that L-Softmax's authors trained on MNIST."""


@dataclass(frozen=True, kw_only=True)
class ReverseCrossEntropySettings(HeadSettings):
    """A linear layer whose smallest output is the class: its softmax is trained to be uniform over the wrong classes."""

    _name: ClassVar[str] = "rce"
    formula: ClassVar[str] = "−(1/(K−1)) Σ_{k≠y} log softmax(−ℓ)_k; logits ℓ_k = −(z·w_k + b_k)"
    source: ClassVar[str] = "Pang, Du, Dong & Zhu, Towards Robust Detection of Adversarial Examples, NeurIPS 2018"
