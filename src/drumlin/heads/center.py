"""Softmax with center loss: features gather around a center a class."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor, nn

from drumlin.functional import center_loss
from drumlin.heads._checks import at_least, one_of
from drumlin.heads._distributed import Batch, whole_batch
from drumlin.heads.base import Reduction, matrices_decay
from drumlin.heads.linear import LinearHead
from drumlin.settings.heads import CenterUpdate


class CenterHead(LinearHead):
    """Softmax cross entropy + λ ½ ‖z − c_y‖²; the centers c follow the features.

    By default they move by Wen's rule after each training step's loss, over the batch of all processes:
    c_k ← c_k − rate · Σ_i 1(y_i=k) (c_k − z_i) / (1 + Σ_i 1(y_i=k)). Or they are learned by gradient, with the learning rate
    divided by λ: their gradient has the factor λ, and with the network's rate they would hardly move.

    Args:
        in_features: D.
        num_classes: K ≥ 2.
        center_weight: λ ≥ 0.
        update: "running" (Wen's rule) or "gradient".
        center_rate: rate of the running update, in [0, 1].
        reduction: "mean", "sum" or "none".

    Attributes:
        centers: (K, D), a buffer or a parameter; they start at the origin.

    Raises:
        ValueError: an argument outside its range.

    >>> head = CenterHead(2, 3)
    >>> sorted(head(torch.ones(4, 2), torch.tensor([0, 1, 1, 0])).terms)
    ['center', 'classification']
    >>> head.centers  # half of the two thirds of the way to (1, 1)
    tensor([[0.3333, 0.3333],
            [0.3333, 0.3333],
            [0.0000, 0.0000]])

    Source: Y. Wen, K. Zhang, Z. Li, Y. Qiao, A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016,
    eq. 2-5; L eq. 3, I eq. 5.
    """

    centers: Tensor

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        center_weight: float = 0.01,
        update: CenterUpdate = "running",
        center_rate: float = 0.5,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(in_features, num_classes, reduction=reduction)
        at_least("center_weight", center_weight, 0)
        one_of("update", update, get_args(CenterUpdate))
        if not 0 <= center_rate <= 1:
            raise ValueError(f"center_rate must lie in [0, 1], got {center_rate}")
        self.center_weight = center_weight
        self.update = update
        self.center_rate = center_rate
        # At the origin, not drawn: the result of center loss depends on where its centers start (I §3.2.1).
        centers = torch.zeros(num_classes, in_features)
        if update == "gradient":
            self.centers = nn.Parameter(centers)
        else:
            self.register_buffer("centers", centers)

    @property
    def class_means(self) -> Tensor:
        """The centers (K, D), detached."""
        return self.centers.detach()

    def param_groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return groups; centers that are learned have no weight decay, and lr / λ where λ > 0.

        That suits optimisers whose step is proportional to the gradient. Adam's is not: there give them `lr` itself.
        """
        groups = matrices_decay(self.linear.parameters(), lr, weight_decay)
        if self.update == "gradient":
            groups.append(center_group(self.centers, self.center_weight, lr))
        return groups

    def _terms(self, z: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        logits = self.logits(z)
        terms = {
            "classification": nn.functional.cross_entropy(logits, y, reduction="none"),
            "center": self.center_weight * center_loss(z, y, self.centers),
        }
        if self.training and self.update == "running":
            self._follow(whole_batch(z.detach(), y, training=True))
        return terms, None, logits

    @torch.no_grad()
    def _follow(self, batch: Batch) -> None:
        share = self.center_rate / (1 + torch.bincount(batch.y, minlength=self.num_classes)[batch.y])
        step = (batch.z.to(self.centers.dtype) - self.centers[batch.y]) * share[:, None].to(self.centers.dtype)
        self.centers.index_add_(0, batch.y, step)

    def extra_repr(self) -> str:
        """Return the settings, for `repr`."""
        shown = ("center_weight", "update", "center_rate")
        return ", ".join([super().extra_repr(), *(f"{name}={getattr(self, name)!r}" for name in shown)])


def center_group(centers: Tensor, weight: float, lr: float) -> dict[str, Any]:
    """Return the group of learned centers in a loss of this weight: no weight decay, and lr / weight where it is above 0."""
    return {"params": [centers], "lr": lr / weight if weight else lr, "weight_decay": 0.0}
