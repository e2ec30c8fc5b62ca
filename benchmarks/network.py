"""How near training a network comes to what the processor can do, and where the rest of the time goes.

Drumlin's training loop, augmentation and optimiser included, on random images in memory; beside it, in the same run, square
matrix products in the same precision. The share is the rate of the network's products and convolutions (counted by torch, forward
and backward) over a whole epoch, by the rate of the matrix products. Then one epoch again under torch's profiler: which operations
take the time.

    python benchmarks/network.py [--network fast-32] [--width 64] [--images 5120] [--repeats 3] [--results FILE]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from _records import benchmark_record
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from drumlin.data import Images
from drumlin.model import Classifier, InputSpec, resolve_precision
from drumlin.results import append
from drumlin.settings.backbones import BackboneSettings, backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings
from drumlin.training.distributed import Processes
from drumlin.training.environment import processor_name
from drumlin.training.following import Follower
from drumlin.training.loop import _Loop
from drumlin.training.progress import Silent

BATCH = 512
SIDE = 32
SIZE = 2048
"""Of the matrices."""

GROUPS: dict[str, tuple[str, ...]] = {
    "convolutions": ("conv", "mkldnn"),
    "batch normalisation": ("batch_norm",),
    "activations": ("gelu", "relu", "threshold"),
    "pooling": ("pool",),
}
"""Name → parts of the names of torch's operations. What is called by a step of the optimiser is "optimiser" whatever its name; what
fits none is "everything else": augmentation, copies, the head."""


def random_images(n: int, side: int = SIDE) -> Images:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, 3, side, side), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 10, (n,), generator=generator)
    return Images(pixels=pixels, labels=labels, class_names=tuple("0123456789"), name="random", split="train")


def loop(
    backbone: BackboneSettings,
    images: Images,
    precision: str,
    folder: Path,
    *,
    batch: int = BATCH,
    group: Processes | None = None,
) -> _Loop:
    head = head_settings("softmax")
    augment = AugmentSettings(flip=True, flip_alternating=True, shift=2, pad="reflect")
    training = TrainingSettings(
        epochs=1_000,
        batch_size=batch,
        optimizer=OptimizerSettings(lr=0.01, weight_decay=1e-3),
        schedule=ScheduleSettings(name="constant"),
    )
    settings = RunSettings(
        data=DataSettings(name="random", augment=augment), head=head, backbone=backbone, training=training
    )
    torch.manual_seed(0)
    size = (images.pixels.shape[2], images.pixels.shape[3])
    inputs = InputSpec(channels=3, size=size, mean=(0.5,) * 3, std=(0.25,) * 3)
    model = Classifier.create(backbone, head, images.class_names, inputs, precision=precision)
    follower = Follower(model, images, images.subset(slice(0, 0)))
    return _Loop(settings, folder, model, images, images, follower, group or Processes(), Silent())


def operations(made: _Loop, images: Images) -> float:
    """Return floating-point operations of a forward and a backward pass, an image."""
    x, y = next(iter(images.batches(64)))
    with FlopCounterMode(display=False) as counter:
        made.classifier.train()
        made.classifier.head(made.classifier.features(x), y).loss.backward()
    made.classifier.zero_grad()
    return counter.get_total_flops() / len(x)


def products(precision: str) -> float:
    """Return the rate of matrix products in operations a second."""
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = torch.randn(SIZE, SIZE, dtype=kind), torch.randn(SIZE, SIZE, dtype=kind)
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - begin)
    return 2 * SIZE**3 / min(times[1:])


def shares(made: _Loop) -> dict[str, float]:
    """Return the share of each group of operations in an epoch's time."""
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        made._epoch(0)
    found = dict.fromkeys([*GROUPS, "optimiser", "everything else"], 0.0)
    for event in recorded.events():
        found[_group(event)] += event.self_cpu_time_total
    total = sum(found.values())
    return {name: value / total for name, value in found.items()}


def _group(event: FunctionEvent) -> str:
    above: FunctionEvent | None = event
    while above is not None:
        if above.name.startswith("Optimizer.step"):
            return "optimiser"
        above = above.cpu_parent
    name = event.name.lower()
    return next((group for group, parts in GROUPS.items() if any(part in name for part in parts)), "everything else")


def measure(network: BackboneSettings, n: int, repeats: int) -> tuple[Mapping[str, float], str]:
    precision = resolve_precision("auto", torch.device("cpu"))
    images = random_images(n)
    with tempfile.TemporaryDirectory() as folder:
        made = loop(network, images, precision, Path(folder))
        each = operations(made, images)
        times, rates = [], []
        for epoch in range(repeats + 1):
            rates.append(products(precision))
            begin = time.perf_counter()
            made._epoch(epoch)
            times.append(time.perf_counter() - begin)
        rate = n / statistics.median(times[1:])  # the first one warms up
        parts = shares(made)
    peak = statistics.median(rates)
    numbers = {
        "images/s": rate,
        "GFLOP/s": rate * each / 1e9,
        "GFLOP/s of products": peak / 1e9,
        "share": rate * each / peak,
    }
    return numbers | parts, precision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="fast-32")
    parser.add_argument("--width", type=int, help="of a network that has one; by default its own")
    parser.add_argument("--images", type=int, default=10 * BATCH)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--results", type=Path, metavar="FILE", help="append the numbers as records to FILE")
    flags = parser.parse_args()
    network = backbone_settings(flags.network, **({} if flags.width is None else {"width": flags.width}))
    name = flags.network if flags.width is None else f"{flags.network} of width {flags.width}"
    numbers, precision = measure(network, flags.images, flags.repeats)
    print(f"{name}, {SIDE}x{SIDE}, batch {BATCH}, {precision}, {processor_name()}")
    for metric, value in numbers.items():
        print(f"{metric:<22}{value:>10.3f}" if value < 1 else f"{metric:<22}{value:>10.0f}")
    if flags.results:
        protocol = f"{name}, batch {BATCH}, {precision}"
        units = {"images/s": "1/s", "GFLOP/s": "GFLOP/s", "GFLOP/s of products": "GFLOP/s"}
        facts = {"n": flags.images}
        append(
            flags.results,
            [
                benchmark_record("network", protocol, k, v, unit=units.get(k, "fraction"), **facts)
                for k, v in numbers.items()
            ],
        )


if __name__ == "__main__":
    main()
