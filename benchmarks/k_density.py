"""Time of the K-density of 1,000 features among 60,000 of 100 dimensions, against scikit-learn's `KernelDensity`.

What is timed is the score itself, on the same stored set, of one class: `KDensity` would keep 50,000 of it. scikit-learn computes in
float64 and has a tree. With its default leaves that tree prunes more than it may in the tails (version 1.9), so values are compared
with those of a single leaf, at a part of the queries. Both are measured in turn, repeat by repeat; a ratio is that of two medians of
one run.

    python benchmarks/k_density.py [--stored 60000] [--queries 1000] [--dimension 100] [--repeats 3] [--threads 2] [--results FILE]
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _records import benchmark_record
from sklearn.neighbors import KernelDensity

from drumlin.detectors.k_density import negative_log_kernel_density
from drumlin.results import append

BAR = 20.0
"""How many times faster it is to be."""
_BANDWIDTH = 1.0


def features(n: int, dimension: int, seed: int) -> torch.Tensor:
    return torch.randn(n, dimension, generator=torch.Generator().manual_seed(seed))


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def worst_difference(stored: torch.Tensor, queries: torch.Tensor) -> float:
    """Return the largest difference of log-densities, in nats, once scikit-learn's normalisation is taken away."""
    exact = KernelDensity(bandwidth=_BANDWIDTH, leaf_size=len(stored)).fit(stored.double().numpy())
    theirs = exact.score_samples(queries.double().numpy())
    constant = 0.5 * stored.shape[1] * math.log(2 * math.pi * _BANDWIDTH**2)
    ours = -negative_log_kernel_density(queries, stored, _BANDWIDTH).numpy() - constant
    return float(np.abs(ours - theirs).max())


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of K-density against scikit-learn's KernelDensity.")
    parser.add_argument("--stored", type=int, default=60_000, help="training features (default 60000)")
    parser.add_argument("--queries", type=int, default=1_000, help="features to score (default 1000)")
    parser.add_argument("--dimension", type=int, default=100, help="of features (default 100)")
    parser.add_argument("--repeats", type=int, default=3, help="repeats of each measurement (default 3)")
    parser.add_argument("--compared", type=int, default=100, help="queries whose values are compared (default 100)")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch (default: torch's own choice)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="append the ratio as a record to FILE")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)

    stored = features(arguments.stored, arguments.dimension, 0)
    queries = features(arguments.queries, arguments.dimension, 1)
    tree = KernelDensity(bandwidth=_BANDWIDTH).fit(stored.double().numpy())
    wide = queries.double().numpy()
    contestants: dict[str, Callable[[], object]] = {
        "drumlin": lambda: negative_log_kernel_density(queries, stored, _BANDWIDTH),
        "scikit-learn": lambda: tree.score_samples(wide),
    }
    contestants["drumlin"]()  # fills caches
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(arguments.repeats):
        for name, call in contestants.items():
            times[name].append(seconds(call))
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["scikit-learn"] / medians["drumlin"]
    difference = worst_difference(stored, queries[: arguments.compared])
    for name, median in medians.items():
        print(
            f"{name:<13} {median * 1e3:>10.1f} ms (median of {arguments.repeats}; least {min(times[name]) * 1e3:.1f})"
        )
    print(f"{ratio:.1f} times faster (bar {BAR:.0f}); largest difference {difference:.1e} nats (bar 1e-3)")
    if arguments.results is not None:
        protocol = f"N={arguments.queries}, M={arguments.stored}, D={arguments.dimension}"
        measured = [
            benchmark_record("k_density", protocol, "scikit-learn / drumlin", ratio, n=arguments.repeats),
            benchmark_record(
                "k_density", protocol, "largest difference", difference, unit="nats", n=arguments.compared
            ),
        ]
        append(arguments.results, measured)


if __name__ == "__main__":
    main()
