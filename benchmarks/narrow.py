"""How much sooner a whole training is done when images are laid side by side for the gradient of the weights over narrow maps.

For processors with AMX, in bfloat16. Drumlin's training loop, augmentation and optimiser included, on random images in memory, with
`NarrowConv2d` as it is and with every convolution left to torch. Both train the same network in turns, in this process, an epoch
each; the first round warms up. The ratio is that of an epoch's rate with it by the rate without, the median of the rounds.

    python benchmarks/narrow.py [--network fast-32] [--width W] [--side 32] [--batch 512] [--images 5120] [--rounds 5]
                                [--results FILE]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from _records import benchmark_record
from network import SIDE, loop, random_images

from drumlin.backbones import narrow
from drumlin.model import resolve_precision
from drumlin.results import append
from drumlin.settings.backbones import BackboneSettings, backbone_settings
from drumlin.training.environment import processor_name

WITH, WITHOUT = "side by side", "each by itself"


@contextmanager
def left_to_torch() -> Iterator[None]:
    """Leave every convolution to torch."""
    widest, narrow.WIDEST = narrow.WIDEST, 0
    try:
        yield
    finally:
        narrow.WIDEST = widest


def measure(
    network: BackboneSettings, precision: str, *, side: int, batch: int, n: int, rounds: int
) -> dict[str, float]:
    """Return numbers by metric.

    Raises:
        ValueError: nothing would be laid side by side, on this processor or in this network.
    """
    if precision != "bfloat16" or not torch.cpu._is_amx_tile_supported():
        raise ValueError(f"this processor lays no images side by side: it has no AMX, or trains in {precision}")
    images = random_images(n, side)
    found: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    with tempfile.TemporaryDirectory() as folder:
        made = loop(network, images, precision, Path(folder), batch=batch)
        if not any(isinstance(module, narrow.NarrowConv2d) for module in made.classifier.modules()):
            raise ValueError(f"{network.name} has no convolution that lays images side by side")
        for epoch in range(2 * (rounds + 1)):
            way = (WITH, WITHOUT)[epoch % 2]
            with left_to_torch() if way == WITHOUT else nullcontext():
                found[way].append(made._epoch(epoch)["images_per_second"])
    kept = {way: rates[1:] for way, rates in found.items()}
    numbers = {f"{way}, images/s": statistics.median(rates) for way, rates in kept.items()}
    numbers[f"{WITH} / {WITHOUT}"] = statistics.median(a / b for a, b in zip(kept[WITH], kept[WITHOUT], strict=True))
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="fast-32")
    parser.add_argument("--width", type=int, help="of a network that has one; by default its own")
    parser.add_argument("--side", type=int, default=SIDE, help="of the images, in pixels")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--images", type=int, default=10 * 512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, metavar="FILE", help="append the numbers as records to FILE")
    flags = parser.parse_args()
    precision = resolve_precision("auto", torch.device("cpu"))
    try:
        network = backbone_settings(flags.network, **({} if flags.width is None else {"width": flags.width}))
        asked = {"side": flags.side, "batch": flags.batch, "n": flags.images, "rounds": flags.rounds}
        numbers = measure(network, precision, **asked)
    except ValueError as error:
        parser.error(str(error))
    name = flags.network if flags.width is None else f"{flags.network} of width {flags.width}"
    protocol = f"{name}, {flags.side}x{flags.side}, batch {flags.batch}, {precision}"
    print(f"{protocol}, {processor_name()}")
    for metric, value in numbers.items():
        print(f"{metric:<40}{value:>10.2f}" if "/s" not in metric else f"{metric:<40}{value:>10.0f}")
    if flags.results:
        facts = {"n": flags.images}
        records = [
            benchmark_record("narrow", protocol, k, v, unit="1/s" if "/s" in k else "ratio", **facts)
            for k, v in numbers.items()
        ]
        append(flags.results, records)


if __name__ == "__main__":
    main()
