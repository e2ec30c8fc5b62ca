"""A training step at a million classes: forward, backward and SGD with momentum, its time and the whole process's peak memory.

Each head is measured in a process of its own, with torch and everything else it needs: what a task manager would show. The steps'
median is of those after the first.

    python benchmarks/million.py [--dimension 128] [--classes 1000000] [--steps 4] [--threads 2] [--results FILE]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from _contestants import N
from _records import benchmark_record
from torch import nn
from torch.nn import functional as F

from drumlin.heads import GaussianMixtureHead
from drumlin.results import append

HEADS = {"linear": nn.Linear, "gm": GaussianMixtureHead.gm, "lgm": GaussianMixtureHead.lgm}


def measure(name: str, dimension: int, num_classes: int, steps: int) -> tuple[float, float]:
    """Return the median milliseconds of a step and the process's peak memory in GiB."""
    torch.manual_seed(0)
    head = HEADS[name](dimension, num_classes)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.01, momentum=0.9, foreach=False)
    z, y = torch.randn(N, dimension), torch.randint(0, num_classes, (N,))
    times = []
    for _ in range(steps + 1):
        begin = time.perf_counter()
        optimizer.zero_grad()
        x = z.detach().requires_grad_()
        loss = F.cross_entropy(head(x), y) if name == "linear" else head(x, y).loss
        loss.backward()
        optimizer.step()
        times.append((time.perf_counter() - begin) * 1e3)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return statistics.median(times[1:]), peak / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description="A training step at a million classes: time and peak memory (Linux).")
    parser.add_argument("--dimension", type=int, default=128, help="of the features (default 128)")
    parser.add_argument("--classes", type=int, default=1_000_000, help="how many (default 1000000)")
    parser.add_argument("--steps", type=int, default=4, help="timed steps of each head (default 4)")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch (default: torch's own choice)")
    parser.add_argument("--results", type=Path, metavar="FILE", help="append records to FILE")
    parser.add_argument("--one", choices=list(HEADS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    if arguments.one is not None:
        print(*measure(arguments.one, arguments.dimension, arguments.classes, arguments.steps))
        return
    found = {}
    for name in HEADS:
        words = [sys.executable, *sys.argv, "--one", name]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        found[name] = [float(value) for value in done.stdout.split()]
        ms, gib = found[name]
        print(
            f"{name:<8} {ms:>9.0f} ms a step  {ms / found['linear'][0]:>5.2f}x linear  peak {gib:.2f} GiB", flush=True
        )
    if arguments.results is not None:
        protocol = f"N={N}, D={arguments.dimension}, K={arguments.classes}, SGD with momentum"
        records = []
        for name, (ms, gib) in found.items():
            ratio = ms / found["linear"][0]
            records.append(benchmark_record("million", protocol, f"{name} peak", gib, unit="GiB", n=arguments.steps))
            if name != "linear":
                records.append(benchmark_record("million", protocol, f"{name} / linear", ratio, n=arguments.steps))
        append(arguments.results, records)


if __name__ == "__main__":
    main()
