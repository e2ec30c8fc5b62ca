"""Matrix products that add to what is there, with operands in float32 or rounded to bfloat16, sums in float32."""

from __future__ import annotations

import threading
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Product(Protocol):
    """out ← beta · out + alpha · a @ b, in place; with beta = 0 what was in `out` does not matter."""

    def __call__(self, out: Tensor, a: Tensor, b: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
        """Return `out` (N, K) after adding alpha times a (N, D) @ b (D, K) to beta times it."""
        ...


def _full(out: Tensor, a: Tensor, b: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
    return out.addmm_(a, b, beta=beta, alpha=alpha)


def _rounded(out: Tensor, a: Tensor, b: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
    if a.dtype == torch.float64:
        return out.addmm_(a, b, beta=beta, alpha=alpha)
    if a.is_cuda:
        product = torch.mm(a.bfloat16(), b.bfloat16(), out_dtype=torch.float32)
        return torch.mul(product, alpha, out=out) if beta == 0 else out.mul_(beta).add_(product, alpha=alpha)
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    if (
        matmul is None
    ):  # before torch 2.9 a CPU has no product that rounds its operands: the same values, at float32's speed
        return out.addmm_(a.bfloat16().float(), b.bfloat16().float(), beta=beta, alpha=alpha)
    with _FLAG:  # the flag is the whole process's
        before = matmul.fp32_precision
        matmul.fp32_precision = "bf16"
        try:
            return out.addmm_(a, b, beta=beta, alpha=alpha)
        finally:
            matmul.fp32_precision = before


_FLAG = threading.Lock()

PRODUCTS: dict[str, Product] = {"float32": _full, "bfloat16": _rounded}
