"""Matrix products with operands in float32 or rounded to bfloat16, sums in float32."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Product = Callable[[Tensor, Tensor], Tensor]


def _bfloat16_mm(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b in float32, with the operands rounded to bfloat16 and the sums kept in float32."""
    if a.dtype == torch.float64:
        return torch.mm(a, b)
    if a.is_cuda:
        return torch.mm(a.bfloat16(), b.bfloat16(), out_dtype=torch.float32)
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    if (
        matmul is None
    ):  # before torch 2.9 a CPU has no product that rounds its operands alone: the same values, at float32's speed
        return torch.mm(a.bfloat16().float(), b.bfloat16().float())
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        return torch.mm(a, b)
    finally:
        matmul.fp32_precision = before


PRODUCTS: dict[str, Product] = {"float32": torch.mm, "bfloat16": _bfloat16_mm}
