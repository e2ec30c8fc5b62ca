"""Softmax with isotropic loss, isomax: a class fans out along an arc around the common mean, not along a ray from it."""

from __future__ import annotations

from torch import Tensor, nn

from drumlin.functional import isotropic_loss
from drumlin.heads._checks import at_least
from drumlin.heads._distributed import whole_batch
from drumlin.heads.base import Reduction
from drumlin.heads.linear import LinearHead


class IsotropicHead(LinearHead):
    """Softmax cross entropy + α B/(B−1) (D_i − D̄)², D_i = ‖z_i − z̄‖ over the batch: isomax of 2018.

    In training mode the batch is that of all processes together. A batch of one sample adds 0.

    Args:
        in_features: D.
        num_classes: K ≥ 2.
        weight: α ≥ 0.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: an argument outside its range.

    >>> import torch
    >>> head = IsotropicHead(2, 3)
    >>> head(torch.eye(2), torch.tensor([0, 1])).terms["isotropic"]  # both are equally far from the middle
    tensor([0., 0.])

    Source: I eq. 3-4, Algorithm 1. Differs: there cross entropy is a sum over the batch and the isotropic loss a mean, so that
    this α weighs N times more than the one printed. Not the later IsoMax of Macêdo.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        weight: float = 0.05,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(in_features, num_classes, reduction=reduction)
        at_least("weight", weight, 0)
        self.weight = weight

    def _terms(self, z: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        logits = self.logits(z)
        batch = whole_batch(z, y, training=self.training)
        terms = {
            "classification": nn.functional.cross_entropy(logits, y, reduction="none"),
            "isotropic": self.weight * isotropic_loss(z, batch.z),
        }
        return terms, None, logits

    def extra_repr(self) -> str:
        """Return the settings, for `repr`."""
        return f"{super().extra_repr()}, weight={self.weight!r}"
