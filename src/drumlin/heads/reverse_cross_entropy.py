"""Reverse cross entropy: trained to be uniform over the wrong classes."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from drumlin.functional import reverse_cross_entropy
from drumlin.heads.linear import LinearHead


class ReverseCrossEntropyHead(LinearHead):
    """A linear layer whose smallest output is the class: softmax(Wz + b) is trained to be uniform over the wrong classes.

    logits = −(z·w_k + b_k); loss = −(1/(K−1)) Σ_{k≠y} log softmax(−logits)_k, at least log(K−1). For K = 2 it is cross entropy.

    Args:
        in_features: D.
        num_classes: K ≥ 2.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: an argument outside its range.

    >>> import torch
    >>> head = ReverseCrossEntropyHead(3, 5)
    >>> head(torch.randn(4, 3), torch.tensor([0, 1, 2, 4])).terms["classification"].shape
    torch.Size([4])

    Source: T. Pang, C. Du, Y. Dong, J. Zhu, Towards Robust Detection of Adversarial Examples, NeurIPS 2018, §3.2.
    """

    def logits(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return −(z·w_k + b_k) (N, K) in float32 or float64."""
        return -super().logits(z)

    def _terms(self, z: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        logits = self.logits(z)
        return {"classification": reverse_cross_entropy(logits, y)}, None, logits
