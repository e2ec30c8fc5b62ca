"""Time of the Gaussian-mixture heads against a plain linear layer with cross entropy, forward and backward.

Measures, at N=256 features of D=512 in float32, for K=1,000 and 10,000 classes, with gradients by features and parameters:

- `linear`: nn.Linear(D, K) and cross_entropy, what a head replaces;
- `doubled`: the same with its three matrix products doubled, nn.Linear(2D, K), what a diagonal covariance needs at least;
- `gm`: GaussianMixtureHead.gm with its defaults (mixture bound, margin 0.3), to be compared with `linear`;
- `lgm`: GaussianMixtureHead.lgm (diagonal, component term), to be compared with `doubled`;
- `gm far`: `gm` with features and means at unit scale instead of 0.1, hundreds of nats apart, where probabilities are denormal
  numbers unless a loss takes care, to be compared with `gm`.

All are measured in turn, repeat by repeat, so that whatever else the machine does meets them alike. A ratio is that of two medians
(or minima) of one run; the minima are the ones to trust on a busy machine.

    python benchmarks/heads.py [--repeats 30] [--threads 2] [--results FILE]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _records import benchmark_record
from torch import Tensor, nn

from drumlin.heads import GaussianMixtureHead
from drumlin.results import Record, append

N, D = 256, 512
COMPARED = {"linear": "linear", "doubled": "linear", "gm": "linear", "lgm": "doubled", "gm far": "gm"}
BARS = {"gm": 1.15, "lgm": 1.3, "gm far": 1.15}


def linear_step(width: int, num_classes: int, y: Tensor) -> Callable[[], None]:
    layer, z = nn.Linear(width, num_classes), torch.randn(N, width) * 0.1

    def step() -> None:
        layer.zero_grad()
        nn.functional.cross_entropy(layer(z.detach().requires_grad_()), y).backward()

    return step


def head_step(head: GaussianMixtureHead, scale: float, y: Tensor) -> Callable[[], None]:
    nn.init.normal_(head.means, std=scale)
    z = torch.randn(N, D) * scale

    def step() -> None:
        head.zero_grad()
        head(z.detach().requires_grad_(), y).loss.backward()

    return step


def measure(num_classes: int, repeats: int) -> dict[str, list[float]]:
    """Return name → milliseconds of each repeat, all names taking turns."""
    torch.manual_seed(0)
    y = torch.randint(0, num_classes, (N,))
    steps = {
        "linear": linear_step(D, num_classes, y),
        "doubled": linear_step(2 * D, num_classes, y),
        "gm": head_step(GaussianMixtureHead.gm(D, num_classes), 0.1, y),
        "lgm": head_step(GaussianMixtureHead.lgm(D, num_classes), 0.1, y),
        "gm far": head_step(GaussianMixtureHead.gm(D, num_classes), 1.0, y),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 3):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if repeat >= 3:  # the first ones fill caches
                times[name].append((time.perf_counter() - start) * 1e3)
    return times


def summarise(num_classes: int, times: dict[str, list[float]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, values in times.items():
        other = times[COMPARED[name]]
        rows.append(
            {
                "num_classes": num_classes,
                "name": name,
                "median_ms": statistics.median(values),
                "min_ms": min(values),
                "against": COMPARED[name],
                "ratio_of_medians": statistics.median(values) / statistics.median(other),
                "ratio_of_minima": min(values) / min(other),
                "bar": BARS.get(name),
                "repeats": len(values),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of the heads against a linear layer with cross entropy.")
    parser.add_argument("--repeats", type=int, default=30, help="repeats of each measurement (default 30)")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch (default: torch's own choice)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="append the ratios of medians as records to FILE")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)

    rows = [row for k in (1000, 10000) for row in summarise(k, measure(k, arguments.repeats))]
    print(f"{'K':>6} {'head':<8} {'median ms':>10} {'min ms':>8}  {'against':<8} {'median':>7} {'min':>6}  bar")
    for row in rows:
        bar = "" if row["bar"] is None else f"{row['bar']:.2f}"
        print(
            f"{row['num_classes']:>6} {row['name']:<8} {row['median_ms']:>10.2f} {row['min_ms']:>8.2f}  {row['against']:<8}"
            f" {row['ratio_of_medians']:>6.2f}x {row['ratio_of_minima']:>5.2f}x  {bar}"
        )
    if arguments.results is not None:
        append(arguments.results, [_record(row) for row in rows if row["bar"] is not None])


def _record(row: dict[str, Any]) -> Record:
    protocol = f"N={N}, D={D}, K={row['num_classes']}, float32"
    return benchmark_record(
        "heads", protocol, f"{row['name']} / {row['against']}", row["ratio_of_medians"], n=row["repeats"]
    )


if __name__ == "__main__":
    main()
