"""Time and memory of the Gaussian-mixture heads against a linear layer with cross entropy, forward and backward.

Measures, at N=256 features, for all D and K asked for, with gradients by features and parameters, what `_contestants.py` lists: heads
dense, in chunks of 4,096 classes, with bfloat16 operands, and with features far from the means (hundreds of nats apart, where
probabilities are denormal numbers unless a loss takes care), a linear layer with cross entropy in float32 and under bfloat16 autocast,
the same with its products doubled (what a diagonal covariance needs at least), torch's own fusion, and the broadcast form of the
public ports.

The C library's allocator is told to keep the memory it has (on Linux with glibc): left to itself it hands large tensors back to the
system and asks for them again, at moments of its own choosing, which made a step of the same code 10% slower or faster. With
--default-allocator it is left to itself; the broadcast form, which asks for gigabytes, is several times slower then.

All are measured in turn, repeat by repeat, so that whatever else the machine does meets them alike. A ratio is that of two medians
(or minima) of one run; the minima are the ones to trust on a busy machine. Peak memory is measured in a process of its own, over
what parameters, features and the gradients left behind take.

    python benchmarks/heads.py [--dimensions 512] [--classes 1000 10000] [--only gm linear] [--repeats 30] [--threads 2]
                               [--memory] [--default-allocator] [--results FILE]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from _contestants import CONTESTANTS, N, Step
from _records import benchmark_record

from drumlin.results import Record, append

_KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(1 << 26)}
_SECONDS = 20.0
"""Each measurement stops repeating after so long, but not before three repeats."""


def make(name: str, dimension: int, num_classes: int) -> Step:
    torch.manual_seed(0)
    y = torch.randint(0, num_classes, (N,))
    return CONTESTANTS[name].make(dimension, num_classes, y)


def measure(names: Sequence[str], dimension: int, num_classes: int, repeats: int) -> dict[str, list[float]]:
    """Return name → milliseconds of each repeat, all names taking turns."""
    steps = {name: make(name, dimension, num_classes) for name in names}
    for step in steps.values():  # fills caches
        step()
        step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    begin = time.perf_counter()
    for repeat in range(repeats):
        if repeat >= 3 and time.perf_counter() - begin > _SECONDS * len(names):
            break
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append((time.perf_counter() - start) * 1e3)
    return times


def peak_memory(name: str, dimension: int, num_classes: int) -> float:
    """Return MiB that a step takes at its peak beside parameters, features and the gradients it leaves, in a fresh process."""
    words = [sys.executable, __file__, "--peak", name, str(dimension), str(num_classes)]
    environment = {name: value for name, value in os.environ.items() if name not in _KEEP_MEMORY}
    return float(subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout)


def _peak(name: str, dimension: int, num_classes: int) -> float:
    """As `peak_memory`, in this process: Linux forgets a process's peak on request."""
    make(name, 8, 100)()  # libraries' own memory
    step = make(name, dimension, num_classes)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    step()
    left = CONTESTANTS[name].gradients * num_classes * dimension * 4 / 2**20
    return _status("VmHWM") - before - left


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def summarise(
    dimension: int, num_classes: int, times: dict[str, list[float]], memory: dict[str, float]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys([*times, *memory]):
        contestant = CONTESTANTS[name]
        values, other = times.get(name), times.get(contestant.against)
        rows.append(
            {
                "dimension": dimension,
                "num_classes": num_classes,
                "name": name,
                "median_ms": None if values is None else statistics.median(values),
                "min_ms": None if values is None else min(values),
                "against": contestant.against,
                "ratio_of_medians": _ratio(statistics.median, values, other),
                "ratio_of_minima": _ratio(min, values, other),
                "bar": contestant.bar(num_classes),
                "peak_mib": memory.get(name),
                "repeats": None if values is None else len(values),
            }
        )
    return rows


def _ratio(
    typical: Callable[[list[float]], float], values: list[float] | None, others: list[float] | None
) -> float | None:
    return None if values is None or others is None else typical(values) / typical(others)


def main() -> None:
    if sys.argv[1:2] == ["--peak"]:
        print(_peak(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
        return
    parser = argparse.ArgumentParser(
        description="Time and memory of the heads against a linear layer with cross entropy."
    )
    parser.add_argument("--dimensions", type=int, nargs="+", default=[512], help="feature dimensions (default 512)")
    parser.add_argument("--classes", type=int, nargs="+", default=[1000, 10000], help="classes (default 1000 10000)")
    parser.add_argument("--only", nargs="+", choices=list(CONTESTANTS), help="what to measure (default: all that fits)")
    parser.add_argument(
        "--repeats", type=int, default=30, help="repeats of each measurement (default 30); 0 for memory alone"
    )
    parser.add_argument("--threads", type=int, default=None, help="threads of torch (default: torch's own choice)")
    parser.add_argument("--memory", action="store_true", help="measure peak memory, too (Linux)")
    parser.add_argument("--default-allocator", action="store_true", help="do not keep memory between steps")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="append ratios of medians and peaks as records to FILE"
    )
    arguments = parser.parse_args()
    if arguments.repeats < 1 and not arguments.memory:
        parser.error("--repeats 0 leaves memory alone to be measured: add --memory")
    if not (arguments.default_allocator or _KEEP_MEMORY.keys() <= os.environ.keys()):  # read when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **_KEEP_MEMORY})
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)

    print(
        f"{'D':>5} {'K':>8} {'what':<21} {'median ms':>10} {'min ms':>9}  {'against':<17} {'median':>7} {'min':>7}  bar   peak MiB"
    )
    for dimension in arguments.dimensions:
        for num_classes in arguments.classes:
            names = [n for n in arguments.only or CONTESTANTS if CONTESTANTS[n].fits(dimension, num_classes)]
            times = measure(names, dimension, num_classes, arguments.repeats) if arguments.repeats else {}
            memory = {name: peak_memory(name, dimension, num_classes) for name in names} if arguments.memory else {}
            rows = summarise(dimension, num_classes, times, memory)
            for row in rows:
                print(_line(row), flush=True)
            if arguments.results is not None:
                kept = "" if not arguments.default_allocator else ", default allocator"
                append(arguments.results, [record for row in rows for record in _records(row, kept)])


def _line(row: dict[str, Any]) -> str:
    ratio = [f"{row[key]:.2f}x" if row[key] else "–" for key in ("ratio_of_medians", "ratio_of_minima")]
    ms = ["–" if row[key] is None else f"{row[key]:.2f}" for key in ("median_ms", "min_ms")]
    bar = "    " if row["bar"] is None else f"{row['bar']:.2f}"
    peak = "" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}"
    return (
        f"{row['dimension']:>5} {row['num_classes']:>8} {row['name']:<21} {ms[0]:>10} {ms[1]:>9}"
        f"  {row['against']:<17} {ratio[0]:>7} {ratio[1]:>7}  {bar}  {peak:>8}"
    )


def _records(row: dict[str, Any], kept: str) -> list[Record]:
    protocol = f"N={N}, D={row['dimension']}, K={row['num_classes']}{kept}"
    found = []
    if row["name"] != row["against"] and row["ratio_of_medians"] is not None:
        metric = f"{row['name']} / {row['against']}"
        found.append(benchmark_record("heads", protocol, metric, row["ratio_of_medians"], n=row["repeats"]))
    if row["peak_mib"] is not None:
        found.append(benchmark_record("heads", protocol, f"{row['name']} peak", row["peak_mib"], unit="MiB"))
    return found


if __name__ == "__main__":
    main()
