"""What the heads share that classify by a linear layer."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from drumlin.functional import zero_tiny_gradients
from drumlin.functional._numerics import compute_dtype, full_precision
from drumlin.heads.base import Head, Reduction


class LinearHead(Head):
    """A head with logits z·w_k + b_k; a subclass fills `_terms`.

    Args:
        in_features: D.
        num_classes: K ≥ 2.
        bias: whether to add b_k.
        reduction: "mean", "sum" or "none".

    Attributes:
        linear: the `nn.Linear` that holds w (K, D) and b (K,).

    Everything from the features on is computed in float32 (or the weights' float64), whatever autocast says.
    """

    def __init__(self, in_features: int, num_classes: int, *, bias: bool = True, reduction: Reduction = "mean") -> None:
        super().__init__(in_features, num_classes, reduction=reduction)
        self.linear = nn.Linear(in_features, num_classes, bias=bias)

    def logits(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return z·w_k + b_k (N, K) in float32 or float64."""
        return linear_logits(z, self.linear)


def linear_logits(z: Float[Tensor, "n d"], linear: nn.Linear) -> Float[Tensor, "n k"]:
    """Return z·w_k + b_k (N, K) in float32 or float64."""
    with full_precision(z.device):
        out = nn.functional.linear(z.to(linear.weight.dtype), linear.weight, linear.bias)
        return zero_tiny_gradients(out.to(compute_dtype(out)))
