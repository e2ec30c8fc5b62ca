"""Large-margin softmax: the angle to the true class's weights counts m times, at first hardly, later fully."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drumlin.functional.l_softmax import insert_margin
from drumlin.heads._checks import at_least, whole
from drumlin.heads.base import Reduction
from drumlin.heads.linear import LinearHead


class LSoftmaxHead(LinearHead):
    """A linear layer without bias whose true class is trained with ψ(θ) ≤ cos θ in place of cos θ.

    loss = CE of ‖w_k‖ ‖z‖ cos θ_k, with (β cos θ_y + ψ(θ_y)) / (1 + β) for cos θ_y, ψ(θ) = (−1)^j cos(mθ) − 2j on
    [jπ/m, (j+1)π/m]. At training step t (from 0) β = max(β_min, β₀ (1 + γt)^−p). `logits` are without margin.

    Args:
        in_features: D.
        num_classes: K ≥ 2.
        margin: m, a whole number of at least 1; 1 is softmax. Acts in training mode only.
        beta: β₀ ≥ 0, the share of plain softmax at the first step.
        beta_min: what β never falls below, at least 0.
        gamma: γ ≥ 0, how fast β falls, by training step.
        power: p ≥ 0.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: an argument outside its range.

    >>> head = LSoftmaxHead(2, 3, margin=2, beta=0.0)
    >>> head(torch.zeros(4, 2), torch.tensor([0, 1, 2, 0])).loss  # no angle at z = 0: log 3
    tensor(1.0986, grad_fn=<MeanBackward0>)

    Source: S, from "Large-Margin Softmax Loss" on (β is its λ); W. Liu et al., ICML 2016. The default β is that of the authors' code,
    for 30,000 steps: of a shorter training with the same γ the margin never gets hold.
    """

    step: Tensor

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        margin: int = 4,
        beta: float = 1000.0,
        beta_min: float = 0.0,
        gamma: float = 2.5e-5,
        power: float = 35.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(in_features, num_classes, bias=False, reduction=reduction)
        whole("margin", margin, 1)
        for name, value in (("beta", beta), ("beta_min", beta_min), ("gamma", gamma), ("power", power)):
            at_least(name, value, 0)
        self.margin = margin
        self.beta = beta
        self.beta_min = beta_min
        self.gamma = gamma
        self.power = power
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    @property
    def current_beta(self) -> float:
        """β at the next training step."""
        annealed: float = self.beta * (1 + self.gamma * int(self.step)) ** -self.power
        return max(self.beta_min, annealed)

    def _terms(self, z: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        logits = trained = self.logits(z)
        if self.training:
            weight = self.linear.weight.to(logits.dtype)
            trained = insert_margin(logits, z.to(logits.dtype), y, weight, self.margin, self.current_beta)
            self.step += 1
        return {"classification": nn.functional.cross_entropy(trained, y, reduction="none")}, None, logits

    def extra_repr(self) -> str:
        """Return the settings, for `repr`."""
        shown = ("margin", "beta", "beta_min", "gamma", "power")
        return ", ".join([super().extra_repr(), *(f"{name}={getattr(self, name)!r}" for name in shown)])
