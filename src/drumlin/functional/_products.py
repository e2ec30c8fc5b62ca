"""Matrix products with operands in float32, or rounded to bfloat16."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Product = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(c, a, b) → c + a @ b, of shapes (N, K) or (K,), (N, D), (D, K); differentiable any number of times."""


def _rounded(c: Tensor, a: Tensor, b: Tensor) -> Tensor:
    if a.dtype == torch.float64:  # who asks for float64 wants no rounding
        return torch.addmm(c, a, b)
    return c + (a.bfloat16() @ b.bfloat16()).float()


PRODUCTS: dict[str, Product] = {"float32": torch.addmm, "bfloat16": _rounded}
"""Precision → product. In bfloat16 sums are float32, and a result is rounded once more, as by a linear layer under autocast."""
