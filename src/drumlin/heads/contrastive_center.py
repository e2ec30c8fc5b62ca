"""Softmax with contrastive-center loss: near one's own center in proportion to the distance of the others."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from drumlin.functional import contrastive_center_loss
from drumlin.heads._checks import above, at_least
from drumlin.heads.base import Reduction, matrices_decay
from drumlin.heads.center import center_group
from drumlin.heads.linear import LinearHead


class ContrastiveCenterHead(LinearHead):
    """Softmax cross entropy + λ ½ ‖z − c_y‖² / (Σ_{k≠y} ‖z − c_k‖² + δ), the centers learned by gradient.

    Args:
        in_features: D.
        num_classes: K ≥ 2.
        weight: λ ≥ 0.
        delta: δ > 0.
        reduction: "mean", "sum" or "none".

    Attributes:
        centers: (K, D) parameter; they start at the origin.

    Raises:
        ValueError: an argument outside its range.

    >>> head = ContrastiveCenterHead(2, 3)
    >>> sorted(head(torch.ones(4, 2), torch.tensor([0, 1, 2, 0])).terms)
    ['classification', 'contrastive_center']

    Source: C. Qi, F. Su, Contrastive-Center Loss for Deep Neural Networks, ICIP 2017, eq. 3-6.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        weight: float = 1.0,
        delta: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(in_features, num_classes, reduction=reduction)
        at_least("weight", weight, 0)
        above("delta", delta, 0)
        self.weight = weight
        self.delta = delta
        self.centers = nn.Parameter(torch.zeros(num_classes, in_features))

    @property
    def class_means(self) -> Tensor:
        """The centers (K, D), detached."""
        return self.centers.detach()

    def param_groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return groups; the centers have no weight decay, and lr / λ where λ > 0, as in `CenterHead`."""
        groups = matrices_decay(self.linear.parameters(), lr, weight_decay)
        return [*groups, center_group(self.centers, self.weight, lr)]

    def _terms(self, z: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        logits = self.logits(z)
        terms = {
            "classification": nn.functional.cross_entropy(logits, y, reduction="none"),
            "contrastive_center": self.weight * contrastive_center_loss(z, y, self.centers, delta=self.delta),
        }
        return terms, None, logits

    def extra_repr(self) -> str:
        """Return the settings, for `repr`."""
        return f"{super().extra_repr()}, weight={self.weight!r}, delta={self.delta!r}"
