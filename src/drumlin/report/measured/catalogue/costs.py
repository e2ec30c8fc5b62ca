"""Tables of what benchmarks measure: time, memory, rounding."""

from __future__ import annotations

from drumlin.report.measured.catalogue.base import Table
from drumlin.report.measured.choices import costs, of_task, speed
from drumlin.results import select

TABLES: dict[str, Table] = {
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
    "costs-network": Table(
        "benchmarks",
        "Training a network: its rate, of that of the processor's matrix products which share, and where the time goes",
        of_task("network"),
        ("protocol",),
        ("metric",),
        digits=0,
    ),
    "costs-convolutions": Table(
        "benchmarks",
        "Rate of each convolution by that of the processor's matrix products, and its share of the convolutions' time, in percent",
        of_task("convolutions"),
        ("protocol",),
        ("metric",),
        digits=0,
    ),
    "costs-narrow": Table(
        "benchmarks",
        "Training a network with images laid side by side for the gradient of the weights over narrow maps, and without",
        of_task("narrow"),
        ("protocol",),
        ("metric",),
    ),
    "costs-processes": Table(
        "benchmarks",
        "The cores of a processor given to one process, to several that share a training, or to one training each",
        of_task("processes"),
        ("protocol",),
        ("metric",),
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
