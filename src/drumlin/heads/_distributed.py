"""The batch over all processes, for losses and statistics that look at more than one sample."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

from drumlin.functional._numerics import compute_dtype


class Batch(NamedTuple):
    """Features z (B, D) and labels y (B,) of all processes, in the order of their ranks; this one's begin at `first`."""

    z: Tensor
    y: Tensor
    first: int


def whole_batch(z: Tensor, y: Tensor, *, training: bool) -> Batch:
    """Return the batch of all processes in training mode, else, and where there is only one process, z and y themselves.

    Gradients flow back to the process that a feature came from. With DistributedDataParallel, which averages gradients, N processes
    with equal shares then train as one with the whole batch; of unequal shares each sample's terms are right, but
    their mean is taken share by share, as ever. In evaluation mode nothing is exchanged: one process may be alone in it.

    Args:
        z: this process's features (N, D); N may differ from process to process, and be 0.
        y: its labels (N,).
        training: the head's mode. Every process must come here together when it is True.
    """
    z = z.to(compute_dtype(z))
    if not (training and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return Batch(z, y, 0)
    sizes = _sizes(z)
    first = sum(sizes[: dist.get_rank()])
    return Batch(_Gather.apply(z, sizes, first), _all_rows(y, sizes), first)


def _sizes(z: Tensor) -> list[int]:
    own = torch.tensor([z.shape[0]], device=z.device)
    everyone = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, own)
    return [int(size) for size in everyone]


def _all_rows(rows: Tensor, sizes: list[int]) -> Tensor:
    """Return the rows of all processes; shorter shares are filled up on the way, for all_gather wants equal ones."""
    longest = max(sizes)
    sent = rows.contiguous()
    if rows.shape[0] < longest:
        sent = torch.cat([rows, rows.new_zeros(longest - rows.shape[0], *rows.shape[1:])])
    received = [torch.empty_like(sent) for _ in sizes]
    dist.all_gather(received, sent)
    return torch.cat([share[:size] for share, size in zip(received, sizes, strict=True)])


class _Gather(torch.autograd.Function):
    """`_all_rows` whose gradient is the sum, over the processes, of their losses' gradients by this process's rows.

    (torch.distributed's own all_gather has no gradient; torch.distributed.nn's wants equal shares.)
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: list[int], first: int) -> Tensor:
        ctx.own = slice(first, first + rows.shape[0])
        return _all_rows(rows, sizes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        whole = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole)
        return whole[ctx.own], None, None
