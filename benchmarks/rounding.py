"""What `matmul="bfloat16"` costs in accuracy: loss and gradients of the mixture heads against float64, beside float32.

Features lie around their class's mean: `optimum`, with means as far apart as GM's optimum for ten classes has them and features
0.3 from them a dimension, or `wide`, with everything a standard deviation of 1 a dimension, where distances are hundreds of nats.
The loss errs by so many nats, the gradients by so much of their norm, features and parameters apart, the largest of them. Beside them
a linear layer with cross entropy under bfloat16 autocast, on the same features and means, where its loss is not 0.

    python benchmarks/rounding.py [--dimensions 128 512 2048] [--classes 10 1000] [--results FILE]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from _contestants import N
from _records import benchmark_record
from torch import Tensor
from torch.nn import functional as F

from drumlin.functional import gm_optimal_distance
from drumlin.heads import GaussianMixtureHead
from drumlin.results import append

SCALES: dict[str, Callable[[int], tuple[float, float]]] = {
    "optimum": lambda dimension: (gm_optimal_distance(10, 0.1) / math.sqrt(2 * dimension), 0.3),
    "wide": lambda dimension: (1.0, 1.0),
}
"""Name → standard deviation of the means, and of features around them, a dimension."""
Result = tuple[Tensor, list[Tensor]]


def draw(dimension: int, num_classes: int, scale: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return features, labels, means and log-variances, in float64."""
    generator = torch.Generator().manual_seed(0)
    means, log_var = (torch.randn(num_classes, dimension, generator=generator, dtype=torch.float64) for _ in range(2))
    y = torch.randint(0, num_classes, (N,), generator=generator)
    noise = torch.randn(N, dimension, generator=generator, dtype=torch.float64)
    spread, around = SCALES[scale](dimension)
    return spread * means[y] + around * noise, y, spread * means, 0.3 * log_var - 1


def head_result(kind: str, dtype: torch.dtype, matmul: str, drawn: Sequence[Tensor]) -> Result:
    """Return a mixture head's loss and its gradients by features and parameters."""
    z, y, means, log_var = drawn
    head = getattr(GaussianMixtureHead, kind)(means.shape[1], means.shape[0], matmul=matmul).to(dtype)
    with torch.no_grad():
        head.means.copy_(means)
        if head.log_var is not None:
            head.log_var.copy_(log_var)
    x = z.to(dtype, copy=True).requires_grad_()
    loss = head(x, y).loss
    return loss, list(torch.autograd.grad(loss, [x, *head.parameters()]))


def linear_result(dtype: torch.dtype, autocast: bool, drawn: Sequence[Tensor]) -> Result:
    """Return the same of a linear layer with cross entropy, the means for its weights."""
    z, y, means, _ = drawn
    x, weight = (t.to(dtype, copy=True).requires_grad_() for t in (z, means))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        loss = F.cross_entropy(F.linear(x, weight), y)
    return loss, list(torch.autograd.grad(loss, [x, weight]))


def errors(found: Result, exact: Result) -> tuple[float, float]:
    """Return the error of a loss in nats, and the largest relative one of its gradients."""
    by_loss = abs(found[0].item() - exact[0].item())
    by_gradient = [float((a - b).norm() / b.norm()) for a, b in zip(found[1], exact[1], strict=True)]
    return by_loss, max(by_gradient)


def main() -> None:
    parser = argparse.ArgumentParser(description="The mixture heads' rounding errors against float64.")
    parser.add_argument("--dimensions", type=int, nargs="+", default=[128, 512, 2048], help="feature dimensions")
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 1000], help="classes (default 10 1000)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="append records to FILE")
    arguments = parser.parse_args()
    for dimension in arguments.dimensions:
        for num_classes in arguments.classes:
            for scale in SCALES:
                drawn = draw(dimension, num_classes, scale)
                found = {
                    f"{kind} {matmul}": errors(
                        head_result(kind, torch.float32, matmul, drawn),
                        head_result(kind, torch.float64, "float32", drawn),
                    )
                    for kind in ("gm", "lgm")
                    for matmul in ("float32", "bfloat16")
                }
                exact = linear_result(torch.float64, False, drawn)
                if exact[0].item() > 1e-6:  # else there is no gradient to err in
                    found["linear autocast"] = errors(linear_result(torch.float32, True, drawn), exact)
                protocol = f"D={dimension}, K={num_classes}, {scale}"
                print(protocol)
                for name, (by_loss, by_gradient) in found.items():
                    print(f"  {name:<16} loss {by_loss:.1e} nats  gradient {by_gradient:.2%}")
                if arguments.results is not None:
                    records = [
                        benchmark_record("rounding", protocol, f"{name}: {what}", value, unit=unit)
                        for name, (by_loss, by_gradient) in found.items()
                        for what, value, unit in (("loss", by_loss, "nats"), ("gradient", 100 * by_gradient, "%"))
                    ]
                    append(arguments.results, records)


if __name__ == "__main__":
    main()
