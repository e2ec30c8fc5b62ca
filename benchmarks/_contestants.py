"""What benchmarks/heads.py measures: forward and backward steps of heads and of what they replace."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drumlin.heads import GaussianMixtureHead

N = 256
CHUNK = 4096
Step = Callable[[], object]


@dataclass(frozen=True)
class Contestant:
    """One thing to measure.

    Attributes:
        make: (D, K, y) → a step: forward and backward, with gradients by features and parameters.
        against: the name of what its time is divided by.
        bar: what that ratio should not exceed, where the project has set one.
        gradients: how many (K, D) matrices of gradients a step leaves behind.
        fits: whether it can be run at these D and K at all.
    """

    make: Callable[[int, int, Tensor], Step]
    against: str
    bar: Callable[[int], float | None] = lambda num_classes: None
    gradients: int = 1
    fits: Callable[[int, int], bool] = lambda dimension, num_classes: True


def _linear(width: int, *, bfloat16: bool = False) -> Callable[[int, int, Tensor], Step]:
    def make(dimension: int, num_classes: int, y: Tensor) -> Step:
        layer, z = nn.Linear(width * dimension, num_classes), torch.randn(N, width * dimension) * 0.1

        def step() -> None:
            layer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
                loss = F.cross_entropy(layer(z.detach().requires_grad_()), y)
            loss.backward()

        return step

    return make


def _linear_cross_entropy(dimension: int, num_classes: int, y: Tensor) -> Step:
    """torch's own fusion, where this torch has it; its chunks are left to it."""
    layer, z = nn.Linear(dimension, num_classes), torch.randn(N, dimension) * 0.1
    takes = inspect.signature(F.linear_cross_entropy).parameters
    bias = {"linear_bias": layer.bias} if "linear_bias" in takes else {}

    def step() -> None:
        layer.zero_grad()
        F.linear_cross_entropy(z.detach().requires_grad_(), layer.weight, y, **bias).backward()

    return step


def _head(
    kind: str, *, scale: float = 0.1, chunked: bool = False, **options: str
) -> Callable[[int, int, Tensor], Step]:
    def make(dimension: int, num_classes: int, y: Tensor) -> Step:
        chunk = min(CHUNK, num_classes) if chunked else None
        head = getattr(GaussianMixtureHead, kind)(dimension, num_classes, class_chunk=chunk, **options)
        nn.init.normal_(head.means, std=scale)
        z = torch.randn(N, dimension) * scale

        def step() -> None:
            head.zero_grad()
            head(z.detach().requires_grad_(), y).loss.backward()

        return step

    return make


def _broadcast(dimension: int, num_classes: int, y: Tensor) -> Step:
    """L-GM as its public ports have it: every difference of a sample and a mean, (N, K, D)."""
    means = (torch.randn(num_classes, dimension) * 0.1).requires_grad_()
    log_var = torch.zeros(num_classes, dimension, requires_grad=True)
    z = torch.randn(N, dimension) * 0.1
    rows = torch.arange(N)

    def step() -> None:
        means.grad = log_var.grad = None
        x = z.detach().requires_grad_()
        distance = 0.5 * ((x[:, None] - means).square() / log_var.exp()).sum(2)
        half_log_det = 0.5 * log_var.sum(1)
        margin = torch.zeros_like(distance).index_put((rows, y), 0.3 * distance[rows, y])
        loss = F.cross_entropy(-distance - margin - half_log_det, y)
        (loss + 0.1 * (distance[rows, y] + half_log_det[y]).mean()).backward()

    return step


def _from_a_thousand(bar: float, small: float = 1.5) -> Callable[[int], float | None]:
    return lambda num_classes: bar if num_classes >= 1000 else small


CONTESTANTS: dict[str, Contestant] = {
    "linear": Contestant(_linear(1), "linear"),
    "doubled": Contestant(_linear(2), "linear", gradients=2),
    "linear-cross-entropy": Contestant(
        _linear_cross_entropy, "linear", fits=lambda d, k: hasattr(F, "linear_cross_entropy")
    ),
    "linear bfloat16": Contestant(_linear(1, bfloat16=True), "linear"),
    "doubled bfloat16": Contestant(_linear(2, bfloat16=True), "doubled", gradients=2),
    "gm": Contestant(_head("gm"), "linear", _from_a_thousand(1.05)),
    "lgm": Contestant(_head("lgm"), "doubled", _from_a_thousand(1.10), gradients=2),
    "gm bfloat16": Contestant(_head("gm", matmul="bfloat16"), "linear bfloat16", _from_a_thousand(1.05)),
    "lgm bfloat16": Contestant(
        _head("lgm", matmul="bfloat16"), "doubled bfloat16", _from_a_thousand(1.10), gradients=2
    ),
    "gm chunked": Contestant(_head("gm", chunked=True), "gm", lambda num_classes: 1.3),
    "lgm chunked": Contestant(_head("lgm", chunked=True), "lgm", lambda num_classes: 1.3, gradients=2),
    "gm far": Contestant(_head("gm", scale=1.0), "gm", lambda num_classes: 1.15),
    "broadcast": Contestant(_broadcast, "lgm", gradients=2, fits=lambda d, k: N * d * k <= 2**28),
}
"""Name → what it is. `doubled` is a linear layer with its three products doubled, what a diagonal covariance needs at least."""
