"""Which of a network's convolutions are slow, and in which direction: forward, or for the gradient of their input or weights.

Each convolution alone, on random images of the shape it meets in the network, in the precision a training would have; beside them, in
the same rounds, square matrix products. A number is the rate of a convolution by that of the products (medians over rounds); the last
one is the share of all the convolutions' time that a layer takes. The network's first layer has no gradient of its input, nor of its
weights if they are not learned. Where `NarrowConv2d` lays images side by side for the gradient of its weights, that is measured, too,
with the laying: it counts the same operations, zeros between images aside, and is not part of that share.

    python benchmarks/convolutions.py [--network fast-32] [--width 64] [--batch 512] [--rounds 7] [--results FILE]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from _records import benchmark_record
from network import SIDE, SIZE
from torch import Tensor, nn

from drumlin.backbones import create_backbone
from drumlin.backbones.narrow import WIDEST, NarrowConv2d, gradient_of_weights
from drumlin.model import resolve_precision
from drumlin.results import append
from drumlin.settings.backbones import backbone_settings
from drumlin.training.environment import processor_name

DIRECTIONS = ("forward", "gradient of the input", "gradient of the weights")
BESIDE = "gradient of the weights, images side by side"


@dataclass(frozen=True)
class Layer:
    """A convolution and what it is given.

    Attributes:
        name: of its place and channels.
        module: the convolution.
        x: its input.
        g: a gradient of its output.
        first: whether its input is the images, of which nobody asks a gradient.
    """

    name: str
    module: nn.Conv2d
    x: Tensor
    g: Tensor
    first: bool

    @property
    def operations(self) -> int:
        """Floating-point operations of one direction."""
        return 2 * self.module.weight[0].numel() * self.g.numel()

    def asked(self) -> list[str]:
        learned = self.module.weight.requires_grad
        return [DIRECTIONS[0], *([] if self.first else [DIRECTIONS[1]]), *([DIRECTIONS[2]] if learned else [])]

    @property
    def narrow(self) -> bool:
        """Whether its images are laid side by side in training, on a processor where that pays."""
        return isinstance(self.module, NarrowConv2d) and self.x.shape[3] <= WIDEST

    def run(self, direction: str) -> None:
        """Compute one direction."""
        conv = self.module
        weight = conv.weight.detach()
        if direction == "forward":
            torch.nn.functional.conv2d(self.x, weight, None, conv.stride, conv.padding, conv.dilation, conv.groups)
            return
        if direction == BESIDE:
            gradient_of_weights(self.g, self.x, weight)
            return
        assert isinstance(conv.padding, tuple)
        of = [direction == name for name in DIRECTIONS[1:]]
        torch.ops.aten.convolution_backward(
            *(self.g, self.x, weight, None, conv.stride, conv.padding, conv.dilation, False, (0, 0), conv.groups),
            [*of, False],
        )


def layers(network: nn.Module, batch: int, kind: torch.dtype) -> list[Layer]:
    """Return the convolutions of a network in their order, each with random numbers in the shapes it meets."""
    shapes: dict[nn.Conv2d, tuple[torch.Size, torch.Size]] = {}

    def note(module: nn.Conv2d, given: tuple[Tensor], output: Tensor) -> None:
        shapes[module] = (given[0].shape, output.shape)

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    with torch.no_grad():
        network.eval()(torch.randn(2, 3, SIDE, SIDE))
    network.to(kind, memory_format=torch.channels_last)

    def random(shape: torch.Size) -> Tensor:
        return torch.randn(batch, *shape[1:], dtype=kind).to(memory_format=torch.channels_last)

    return [
        Layer(_name(index, conv, output), conv, random(given), random(output), first=index == 0)
        for index, (conv, (given, output)) in enumerate(shapes.items())
    ]


def _name(index: int, conv: nn.Conv2d, output: torch.Size) -> str:
    size = "x".join(str(side) for side in conv.kernel_size)
    return f"{index + 1}: {size}, {conv.in_channels} to {conv.out_channels} at {output[2]}x{output[3]}"


def measure(found: Sequence[Layer], kind: torch.dtype, rounds: int) -> dict[tuple[str, str], float]:
    """Return numbers by layer and metric."""
    a, b = torch.randn(SIZE, SIZE, dtype=kind), torch.randn(SIZE, SIZE, dtype=kind)
    jobs: dict[tuple[str, str], Callable[[], object]] = {("", "products"): lambda: a @ b}
    for layer in found:
        for direction in layer.asked() + [BESIDE] * layer.narrow:
            jobs[layer.name, direction] = lambda layer=layer, direction=direction: layer.run(direction)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in jobs}
    for _ in range(rounds + 1):
        for key, job in jobs.items():
            begin = time.perf_counter()
            job()
            times[key].append(time.perf_counter() - begin)
    medians = {key: statistics.median(each[1:]) for key, each in times.items()}  # the first round warms up
    peak = 2 * SIZE**3 / medians.pop(("", "products"))
    operations = {layer.name: layer.operations for layer in found}
    total = sum(medians[layer.name, d] for layer in found for d in layer.asked())
    numbers = {(name, metric): operations[name] / seconds / peak for (name, metric), seconds in medians.items()}
    for layer in found:
        numbers[layer.name, "time"] = sum(medians[layer.name, d] for d in layer.asked()) / total
    for direction in DIRECTIONS:
        numbers["all", direction] = sum(operations[n] for n, d in medians if d == direction) / peak
        numbers["all", direction] /= sum(seconds for (_, d), seconds in medians.items() if d == direction)
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="fast-32")
    parser.add_argument("--width", type=int, help="of a network that has one; by default its own")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--results", type=Path, metavar="FILE", help="append the numbers as records to FILE")
    flags = parser.parse_args()
    settings = backbone_settings(flags.network, **({} if flags.width is None else {"width": flags.width}))
    precision = resolve_precision("auto", torch.device("cpu"))
    kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
    found = layers(create_backbone(settings, channels=3, size=(SIDE, SIDE)), flags.batch, kind)
    numbers = measure(found, kind, flags.rounds)
    name = flags.network if flags.width is None else f"{flags.network} of width {flags.width}"
    print(f"{name}, {SIDE}x{SIDE}, batch {flags.batch}, {precision}, {processor_name()}")
    for (layer, metric), value in numbers.items():
        print(f"{layer:<32}{metric:<26}{value:>8.3f}")
    if flags.results:
        protocol = f"{name}, batch {flags.batch}, {precision}"
        append(
            flags.results,
            [
                benchmark_record("convolutions", f"{protocol}; {layer}", metric, value, unit="fraction", n=flags.batch)
                for (layer, metric), value in numbers.items()
            ],
        )


if __name__ == "__main__":
    main()
