"""Numerical care that several losses share: gradients without denormal numbers, and the dtype to compute in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


def smallest_useful(dtype: torch.dtype) -> float:
    """Return the magnitude under which a probability is treated as zero in a backward pass: tiny / eps (1e-31 in float32).

    Below it, its product with a gradient or feature of ordinary size would be a denormal number, which makes matrix products on
    a CPU about 20 times slower, and it is far below the rounding of anything it is added to.
    """
    info = torch.finfo(dtype)
    return info.tiny / info.eps


class _ZeroTinyGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        (grad,) = grads
        return grad * (grad.abs() >= smallest_useful(grad.dtype))


def zero_tiny_gradients(logits: Tensor) -> Tensor:
    """Return `logits` unchanged; in the backward pass, entries too small to matter become exact zeros.

    Differentiable any number of times.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (zero_tiny_gradients(x) * torch.tensor([1e-39, 1.0])).sum().backward()
    >>> x.grad.tolist()
    [0.0, 1.0]
    """
    return _ZeroTinyGradients.apply(logits)  # type: ignore[no-any-return]


def first_maximum(x: Tensor, group: int = 32) -> tuple[Tensor, Tensor]:
    """Return the maximum of each row of x (N, K) and the first index where it is, like `x.max(1)`.

    On a CPU `max` with an index is not vectorised: here it sees the maxima of groups of columns, and one group, alone.

    >>> first_maximum(torch.arange(100.0).reshape(2, 50).flip(1))
    (tensor([49., 99.]), tensor([0, 0]))
    """
    num_groups = x.shape[1] // group
    if x.is_cuda or num_groups < 4:
        top, index = x.max(1)
        return top, index
    rest = x[:, num_groups * group :]
    groups = x[:, : num_groups * group].view(-1, num_groups, group)
    top, best = groups.amax(2).max(1)
    index = groups[torch.arange(x.shape[0], device=x.device), best].argmax(1) + best * group
    if rest.shape[1]:
        last, place = rest.max(1)
        index = torch.where(last > top, place + num_groups * group, index)
        top = torch.maximum(last, top)
    return top, index


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which autocast does not act on `device`; entering it costs nothing where autocast is off anyway."""
    active = torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, enabled=False) if active else nullcontext()


def compute_dtype(*tensors: Tensor | None) -> torch.dtype:
    """Return float64 if any of `tensors` is float64, else float32: losses are never computed in half precision."""
    return torch.float64 if any(t is not None and t.dtype == torch.float64 for t in tensors) else torch.float32


class _Floor(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float) -> Tensor:
        ctx.save_for_backward(x < low)
        return x.clamp_min(low)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (grad,) = grads
        (below,) = ctx.saved_tensors
        return grad.masked_fill(below & (grad > 0), 0), None


def floor(x: Tensor, low: float) -> Tensor:
    """Return max(x, low); below the floor, gradients that would raise x still pass, those that would lower it do not.

    Under a plain clamp a parameter that once fell below its floor would never get a gradient again.

    >>> x = torch.tensor([-3.0, -3.0, 0.0], requires_grad=True)
    >>> (floor(x, -1.0) * torch.tensor([1.0, -1.0, 1.0])).sum().backward()
    >>> x.grad.tolist()
    [0.0, -1.0, 1.0]
    """
    return _Floor.apply(x, low)  # type: ignore[no-any-return]
