"""Throughput of drumlin's training loop against a hand-written PyTorch loop, in one run.

Both train the same network (fast-28 with a GM head) on the same images (random 28x28 ones in memory) with the same optimiser,
precision, batch size and augmentation-free batches. The plain loop is what one would write for that purpose and nothing else.
The two alternate, epoch by epoch; the ratio is that of the median epoch times, above 1 where drumlin is faster.

    python benchmarks/training.py [--images 12800] [--repeats 7] [--results FILE]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from _records import benchmark_record

from drumlin.data import Images
from drumlin.model import Classifier, InputSpec, resolve_precision
from drumlin.results import append
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings
from drumlin.training.distributed import Processes
from drumlin.training.environment import processor_name
from drumlin.training.following import Follower
from drumlin.training.loop import _Loop
from drumlin.training.progress import Silent

BATCH = 128


def random_images(n: int) -> Images:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, 1, 28, 28), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 10, (n,), generator=generator)
    return Images(pixels=pixels, labels=labels, class_names=tuple("0123456789"), name="random", split="train")


def classifier(precision: str) -> Classifier:
    torch.manual_seed(0)
    inputs = InputSpec(channels=1, size=(28, 28), mean=(0.5,), std=(0.3,))
    network, head = backbone_settings("fast-28"), head_settings("gm")
    return Classifier.create(network, head, tuple("0123456789"), inputs, precision=precision)


def drumlin_loop(images: Images, precision: str, folder: Path) -> _Loop:
    settings = RunSettings(
        data=DataSettings(name="random", augment=AugmentSettings()),
        head=head_settings("gm"),
        backbone=backbone_settings("fast-28"),
        training=TrainingSettings(
            epochs=1_000,
            batch_size=BATCH,
            optimizer=OptimizerSettings(lr=0.01, weight_decay=0.0),
            schedule=ScheduleSettings(name="constant"),
        ),
    )
    model = classifier(precision)
    follower = Follower(model, images, images.subset(slice(0, 0)))
    return _Loop(settings, folder, model, images, images, follower, Processes(), Silent())


class PlainLoop:
    """Network, head, optimiser and batches without drumlin's loop around them."""

    def __init__(self, images: Images, precision: str) -> None:
        self.pixels = images.pixels
        self.labels = images.labels
        whole = classifier(precision)
        self.backbone, self.head = whole.backbone.train(), whole.head.train()
        self.optimizer = torch.optim.SGD(
            [*self.backbone.parameters(), *self.head.parameters()], lr=0.01, momentum=0.9, nesterov=True
        )
        self.bfloat16 = precision == "bfloat16"

    def epoch(self) -> None:
        order = torch.randperm(len(self.labels))
        for share in order.split(BATCH):
            x = self.pixels[share].float().div_(255).sub_(0.5).div_(0.3).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                z = self.backbone(x)
            loss = self.head(z.float(), self.labels[share]).loss
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()


def measure(n: int, repeats: int) -> dict[str, float | str]:
    precision = resolve_precision("auto", torch.device("cpu"))
    images = random_images(n)
    with tempfile.TemporaryDirectory() as folder:
        ours, plain = drumlin_loop(images, precision, Path(folder)), PlainLoop(images, precision)
        times: dict[str, list[float]] = {"drumlin": [], "plain": []}
        for repeat in range(repeats + 1):
            for name, epoch in (("drumlin", lambda r=repeat: ours._epoch(r)), ("plain", plain.epoch)):
                begin = time.perf_counter()
                epoch()
                times[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}  # the first one warms up
    return {
        "drumlin_images_per_second": n / medians["drumlin"],
        "plain_images_per_second": n / medians["plain"],
        "ratio": medians["plain"] / medians["drumlin"],
        "precision": precision,
        "processor": processor_name(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100 * BATCH)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--results", type=Path, metavar="FILE", help="append the ratio as a record to FILE")
    flags = parser.parse_args()
    result = measure(flags.images, flags.repeats)
    print(
        f"drumlin {result['drumlin_images_per_second']:.0f} images/s, plain loop {result['plain_images_per_second']:.0f} images/s"
    )
    print(f"ratio {result['ratio']:.3f} ({result['precision']}, {result['processor']})")
    if flags.results:
        protocol = f"fast-28, gm, 28x28, batch {BATCH}, {result['precision']}"
        value = float(result["ratio"])
        append(
            flags.results, [benchmark_record("training", protocol, "throughput / plain loop", value, n=flags.images)]
        )


if __name__ == "__main__":
    main()
