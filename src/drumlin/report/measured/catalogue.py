"""The tables of README and docs, by name: of which recipe's records, and how they are made of them."""

from __future__ import annotations

from dataclasses import dataclass

from drumlin.report.measured.choices import (
    Choice,
    auroc,
    classification,
    costs,
    geometry,
    heads,
    of_rows,
    of_task,
    refused,
    shape,
    speed,
)
from drumlin.results import select


@dataclass(frozen=True)
class Table:
    """A table: whose records, what to say above it, and how it is made of them.

    Attributes:
        recipe: of the records; of several that are named `recipe/NAME`, all.
        caption: what it shows.
        choose: those that it is made of.
        rows: fields that tell its lines apart.
        columns: fields that tell its columns apart.
        digits: after the decimal point.
        published: whose values stand beside; nothing where none do.
    """

    recipe: str
    caption: str
    choose: Choice
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    digits: int = 2
    published: str = ""


_BY_ANOMALY = ("anomaly",)
TABLES: dict[str, Table] = {
    "mnist-classification": Table(
        "mnist",
        "Classification of the MNIST test images, and time of training",
        classification,
        ("head",),
        ("metric", "unit"),
    ),
    "mnist-geometry": Table(
        "mnist",
        "Geometry of the feature space on MNIST",
        geometry,
        ("head",),
        ("metric", "unit"),
        published="the distance at the optimum of the loss, where it has one",
    ),
    "mnist-detection": Table(
        "mnist",
        "AUROC in percent: MNIST test images against what no model saw in training",
        auroc,
        ("head", "detector"),
        ("anomaly",),
    ),
    "mnist-refusal": Table(
        "mnist",
        "Share refused in percent, calibrated on held-out training images for 1% false alarms",
        refused,
        ("head", "detector"),
        ("anomaly",),
    ),
    "mnist-heads": Table(
        "mnist-heads",
        "MNIST, `fast-28`, three epochs: test error in percent",
        heads(None),
        ("head",),
        ("anomaly",),
        published="what was published for L's network",
    ),
    "mnist-heads-table-1": Table(
        "mnist-heads",
        "MNIST, L's network (`cvpr-6`), three epochs at one rate: test error in percent",
        heads("L's network"),
        ("head",),
        ("anomaly",),
        published="L's Table 1",
    ),
    "mnist-distances": Table(
        "mnist-distances",
        "MNIST, GM in 100-D: distance of two class means, and shape of the classes",
        shape,
        ("head",),
        ("metric", "unit"),
        digits=3,
        published="the optimum of the loss",
    ),
    "mnist-fgsm": Table(
        "mnist-fgsm",
        "Test error under attack in percent",
        of_rows("robustness", "error"),
        ("head",),
        _BY_ANOMALY,
        published="L's Table 6",
    ),
    "mnist-fgsm-eer": Table(
        "mnist-fgsm",
        "Equal error rate in percent of telling attacked test images from untouched ones",
        of_rows("detection", "eer"),
        ("head", "detector"),
        _BY_ANOMALY,
        published="L's",
    ),
    "mnist-attacks": Table(
        "mnist-detection",
        "AUROC in percent, all attacked images against the same untouched",
        of_rows("detection", "auroc", "all-attacked"),
        ("head", "detector"),
        _BY_ANOMALY,
        published="T's Table 7",
    ),
    "mnist-attacks-fooled": Table(
        "mnist-detection",
        "AUROC in percent, those images alone that the model got right and the attack changed to its target",
        of_rows("detection", "auroc", "right-before-and-fooled"),
        ("head", "detector"),
        _BY_ANOMALY,
        published="T's Table 7",
    ),
    "mnist-attacks-success": Table(
        "mnist-detection",
        "Share of attacks that reach their target, in percent",
        of_rows("robustness", "success"),
        ("head",),
        _BY_ANOMALY,
    ),
    "mnist-white-box": Table(
        "mnist-white-box",
        "AUROC in percent, all attacked images against the same untouched",
        of_rows("detection", "auroc", "all-attacked"),
        ("head", "detector"),
        _BY_ANOMALY,
        published="T's Tables 10 and 11",
    ),
    "mnist-white-box-fooled": Table(
        "mnist-white-box",
        "AUROC in percent, those images alone that the model got right and the attack brought to its target",
        of_rows("detection", "auroc", "right-before-and-fooled"),
        ("head", "detector"),
        _BY_ANOMALY,
        published="T's Tables 10 and 11",
    ),
    "mnist-white-box-success": Table(
        "mnist-white-box",
        "Share of attacks that reach their target, under `cw-detector` with a score that passes, in percent",
        of_rows("robustness", "success"),
        ("head",),
        _BY_ANOMALY,
        published="T's",
    ),
    "mnist-white-box-distortion": Table(
        "mnist-white-box",
        "Distortion of those that succeed, root mean square over pixels in [0, 1]",
        of_rows("robustness", "distortion"),
        ("head",),
        _BY_ANOMALY,
        digits=4,
        published="T's by 255",
    ),
    "mnist-beyond": Table(
        "mnist-beyond",
        "AUROC in percent of attacks, 500 test images each, all attacked images against the same untouched",
        of_rows("detection", "auroc", "all-attacked"),
        ("head", "detector"),
        _BY_ANOMALY,
    ),
    "mnist-beyond-safety": Table(
        "mnist-beyond",
        "Share of attacked images in percent that are right, or refused at 5% false alarms",
        lambda records: [r for r in of_rows("safety", "right-or-refused")(records) if r.anomaly],
        ("head", "detector"),
        _BY_ANOMALY,
    ),
    "mnist-beyond-unknown": Table(
        "mnist-beyond",
        "AUROC in percent of unknown images",
        of_rows("detection", "auroc", "all-test-samples"),
        ("head", "detector"),
        _BY_ANOMALY,
    ),
    "costs": Table(
        "benchmarks",
        "Time of a step, as ratios within one run",
        speed,
        ("protocol",),
        ("metric",),
    ),
    "costs-float32": Table(
        "benchmarks",
        "Time of a step in float32, as ratios of medians within one run; N=256",
        costs(
            (
                "gm / linear",
                "gm far / gm",
                "gm chunked / gm",
                "doubled / linear",
                "lgm / doubled",
                "lgm chunked / lgm",
                "linear-cross-entropy / linear",
                "broadcast / lgm",
            )
        ),
        ("protocol",),
        ("metric",),
    ),
    "costs-bfloat16": Table(
        "benchmarks",
        "Time of a step with bfloat16 products, likewise",
        costs(
            (
                "linear bfloat16 / linear",
                "gm bfloat16 / linear bfloat16",
                "doubled bfloat16 / doubled",
                "lgm bfloat16 / doubled bfloat16",
            )
        ),
        ("protocol",),
        ("metric",),
    ),
    "costs-memory": Table(
        "benchmarks",
        "Peak memory of a step in MiB, beside parameters, features and the gradients it leaves",
        costs(
            (
                "linear peak",
                "linear-cross-entropy peak",
                "gm peak",
                "gm chunked peak",
                "lgm peak",
                "lgm chunked peak",
            )
        ),
        ("protocol",),
        ("metric",),
        digits=0,
    ),
    "costs-allocator": Table(
        "benchmarks",
        "With the allocator as it is",
        lambda records: [r for r in select(records, task="heads") if "allocator" in (r.protocol or "")],
        ("protocol",),
        ("metric",),
    ),
    "costs-million": Table(
        "benchmarks",
        "A step of training, the whole process's peak memory in GiB",
        of_task("million"),
        ("protocol",),
        ("metric", "unit"),
    ),
    "costs-rounding": Table(
        "benchmarks",
        "Errors against float64: of the loss in nats, of gradients relative to their norm",
        of_task("rounding"),
        ("protocol",),
        ("metric", "unit"),
        digits=5,
    ),
    "costs-scores": Table(
        "benchmarks",
        "K-density of 1,000 features among 60,000 of 100 dimensions (one thread)",
        of_task("k_density"),
        ("protocol",),
        ("metric", "unit"),
        digits=6,
    ),
    "costs-attacks": Table(
        "benchmarks",
        "Carlini & Wagner's attack at the same settings (one thread)",
        of_task("attacks"),
        ("protocol",),
        ("metric",),
        digits=3,
    ),
    "costs-training": Table(
        "benchmarks",
        "The training loop against a plain one on the same network",
        of_task("training"),
        ("protocol",),
        ("metric",),
    ),
}
"""Every table by its name."""
