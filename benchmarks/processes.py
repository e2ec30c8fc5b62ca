"""How cores are best given to training: all to one process, one to each of several that share a training, or one to each training.

Drumlin's training loop, augmentation and optimiser included, on random images in memory. N is the number of threads that torch takes
here. The three ways take turns, each with a warm-up epoch and one that counts, and the median over the rounds is printed:

- one process of N threads;
- N processes of one thread that share every batch of one training, started by torchrun;
- N trainings of one thread each, side by side: the sum of their rates.

    python benchmarks/processes.py [--network fast-32] [--width W] [--batch 1024] [--images 10240] [--rounds 3] [--results FILE]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from _records import benchmark_record
from network import SIDE, loop, random_images

from drumlin.model import resolve_precision
from drumlin.results import append
from drumlin.settings.backbones import BackboneSettings, backbone_settings
from drumlin.training.distributed import processes
from drumlin.training.environment import processor_name

ONE, SHARED, BESIDE = "one process", "processes that share", "trainings side by side"


def work(flags: argparse.Namespace) -> None:
    """Train for two epochs in this process, or this one's part of them, and print the images/s of the second."""
    cpu = torch.device("cpu")
    with processes(cpu) as group, tempfile.TemporaryDirectory() as folder:
        images, network = random_images(flags.images), _network(flags)
        made = loop(network, images, resolve_precision("auto", cpu), Path(folder), batch=flags.batch, group=group)
        made._epoch(0)
        rate = made._epoch(1)["images_per_second"]
        if group.first:
            print(rate)


def _network(flags: argparse.Namespace) -> BackboneSettings:
    width = {} if flags.width is None else {"width": flags.width}
    return backbone_settings(flags.network, **width)


def rate(workers: int, threads: int, words: Sequence[str], *, shared: bool) -> float:
    """Return the images/s of so many workers of so many threads each, in all.

    Raises:
        RuntimeError: one of them failed.
    """
    own = [str(Path(__file__).resolve()), "--worker", *words]
    started = [sys.executable, *own]
    if shared:
        started = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={workers}", *own]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    running = [
        subprocess.Popen(started, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(1 if shared else workers)
    ]
    said = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError("a training failed, see above")
    return sum(map(float, said))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="fast-32")
    parser.add_argument("--width", type=int, help="of a network that has one; by default its own")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--images", type=int, default=10 * 1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path, metavar="FILE", help="append the numbers as records to FILE")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.worker:
        work(flags)
        return
    cores = torch.get_num_threads()
    if cores == 1:
        parser.error("torch takes one thread here: there is nothing to share (OMP_NUM_THREADS gives it more)")
    try:
        _network(flags)
    except ValueError as error:
        parser.error(str(error))
    given = {name: getattr(flags, name) for name in ("network", "width", "batch", "images")}
    words = [f"--{name}={value}" for name, value in given.items() if value is not None]
    found: dict[str, list[float]] = {ONE: [], SHARED: [], BESIDE: []}
    for _ in range(flags.rounds):
        found[ONE].append(rate(1, cores, words, shared=False))
        found[SHARED].append(rate(cores, 1, words, shared=True))
        found[BESIDE].append(rate(cores, 1, words, shared=False))
    numbers = {f"{way}, images/s": statistics.median(rates) for way, rates in found.items()}
    for way in (SHARED, BESIDE):
        numbers[f"{way} / {ONE}"] = statistics.median(a / b for a, b in zip(found[way], found[ONE], strict=True))
    precision = resolve_precision("auto", torch.device("cpu"))
    name = flags.network if flags.width is None else f"{flags.network} of width {flags.width}"
    protocol = f"{name}, batch {flags.batch}, {precision}, {cores} cores"
    print(f"{protocol}, {SIDE}x{SIDE}, {processor_name()}")
    for metric, value in numbers.items():
        print(f"{metric:<40}{value:>10.2f}" if "/s" not in metric else f"{metric:<40}{value:>10.0f}")
    if flags.results:
        records = [
            benchmark_record(
                "processes", protocol, metric, value, unit="1/s" if "/s" in metric else "ratio", n=flags.images
            )
            for metric, value in numbers.items()
        ]
        append(flags.results, records)


if __name__ == "__main__":
    main()
