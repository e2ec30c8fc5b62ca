"""Softmax cross entropy over a linear layer: the baseline."""

from __future__ import annotations

from torch import Tensor, nn

from drumlin.heads.base import Reduction
from drumlin.heads.linear import LinearHead


class SoftmaxHead(LinearHead):
    """A linear layer, logits z·w_k + b_k, under softmax cross entropy.

    Args:
        in_features: D.
        num_classes: K ≥ 2.
        bias: whether to add b_k.
        label_smoothing: probability mass in [0, 1) moved from the true class to all classes alike.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: an argument outside its range.

    >>> import torch
    >>> head = SoftmaxHead(3, 2)
    >>> head(torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])).terms["classification"].shape
    torch.Size([4])

    Source: L eq. 1-2; label smoothing: C. Szegedy et al., Rethinking the Inception Architecture, CVPR 2016.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        bias: bool = True,
        label_smoothing: float = 0.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(in_features, num_classes, bias=bias, reduction=reduction)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must lie in [0, 1), got {label_smoothing}")
        self.label_smoothing = label_smoothing

    def _terms(self, z: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        logits = self.logits(z)
        loss = nn.functional.cross_entropy(logits, y, reduction="none", label_smoothing=self.label_smoothing)
        return {"classification": loss}, None, logits
