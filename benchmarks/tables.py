"""The tables of README.md and docs/, made from the records in results/: nobody types a number into them.

    python benchmarks/tables.py            rewrite what stands between the markers of these pages
    python benchmarks/tables.py --check    fail if a page is not what it would be rewritten to

A table stands between `<!-- table: NAME -->` and `<!-- end -->`, alone on their lines; the names are those of `TABLES`. Where its
records are not there, nothing stands between them.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from drumlin import _io
from drumlin.results import Record, latest, read, select, table

ROOT = Path(__file__).resolve().parents[1]
_MARKED = re.compile(r"^<!-- table: (?P<name>\S+) -->\n(?P<body>.*?)^<!-- end -->$", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"^<!-- (?:table:.*|end) -->$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of a page: the file of records under results/, what to say above it, and how it is made of them."""

    file: str
    caption: str
    choose: Callable[[Sequence[Record]], list[Record]]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    digits: int = 2
    published: bool = False


def percent(record: Record) -> Record:
    """Return a record of a fraction in percent; any other as it is."""
    if record.unit != "fraction":
        return record
    scaled = {
        name: None if (value := getattr(record, name)) is None else 100 * value
        for name in ("value", "ci_low", "ci_high", "published")
    }
    return dataclasses.replace(record, unit="%", **scaled)


def _classification(records: Sequence[Record]) -> list[Record]:
    """Error, error under attack, calibration and time: records of several tasks, so their columns need names of their own."""
    wanted = {
        ("classification", "error"): "test error",
        ("robustness", "error"): "error under FGSM",
        ("classification", "ece"): "expected calibration error",
        ("classification", "nll"): "log loss",
        ("training", "seconds"): "training",
    }
    found = [
        [dataclasses.replace(record, metric=label) for record in select(records, task=task, metric=metric)]
        for (task, metric), label in wanted.items()
    ]
    return [record for column in found for record in column]


def _geometry(records: Sequence[Record]) -> list[Record]:
    wanted = ("mean-distance", "mean-distance-cv", "intra-class-spread", "inter-class-distance")
    return select(records, task="geometry", metric=wanted)


def _shape(records: Sequence[Record]) -> list[Record]:
    """Distances of means, and how Gaussian the classes are."""
    wanted = ("mean-distance", "mean-distance-cv", "effective-dimensions", "first-eigenvalue", "kurtosis-ratio")
    return [dataclasses.replace(r, protocol=None) for r in select(records, task="geometry", metric=wanted)]


def _auroc(records: Sequence[Record]) -> list[Record]:
    return select(records, task="detection", metric="auroc")


def _refused(records: Sequence[Record]) -> list[Record]:
    chosen = select(records, task="refusal", metric="refused")
    return [dataclasses.replace(r, anomaly="test (false alarms)") if r.anomaly == "test" else r for r in chosen]


def _costs(metrics: Sequence[str]) -> Callable[[Sequence[Record]], list[Record]]:
    """Return what chooses these ratios and peaks, in this order of columns, D and K for the protocol's words."""

    def choose(records: Sequence[Record]) -> list[Record]:
        found = [r for r in select(records, task="heads", metric=metrics) if "allocator" not in (r.protocol or "")]
        rows = sorted(found, key=lambda r: (_sizes(r), metrics.index(r.metric)))
        return [dataclasses.replace(r, protocol=(r.protocol or "").partition(", ")[2]) for r in rows]

    return choose


def _sizes(record: Record) -> list[int]:
    return [int(number) for number in re.findall(r"=(\d+)", record.protocol or "")]


def _speed(records: Sequence[Record]) -> list[Record]:
    """A few of the costs, for README."""
    shown = ("gm / linear", "lgm / doubled", "gm far / gm", "gm chunked / gm", "gm bfloat16 / linear bfloat16")
    wanted = [f"N=256, D=512, K={k}" for k in (10, 100, 1000, 10000, 100000)]
    found = select(records, task="heads", protocol=wanted, metric=shown)
    return sorted(found, key=lambda r: (_sizes(r), shown.index(r.metric)))


def _of_task(*tasks: str) -> Callable[[Sequence[Record]], list[Record]]:
    return lambda records: select(records, task=tasks)


def _heads(network: str | None) -> Callable[[Sequence[Record]], list[Record]]:
    """Return what chooses test errors of the recipe mnist-heads: a row a head, a column a dimension."""

    def choose(records: Sequence[Record]) -> list[Record]:
        found = []
        for record in select(records, task="classification", metric="error"):
            name, dimension, *rest = (record.protocol or "").split(", ")
            if (rest[0] if rest else None) == network:
                found.append(dataclasses.replace(record, head=name, anomaly=dimension))
        return sorted(found, key=lambda record: record.anomaly == "100-D")

    return choose


def _rows(task: str, metric: str, protocol: str = "") -> Callable[[Sequence[Record]], list[Record]]:
    """Return what chooses a metric of a recipe's rows, under one protocol if the task has several; the row's name for the head."""

    def choose(records: Sequence[Record]) -> list[Record]:
        found = []
        for record in select(records, task=task, metric=metric):
            row, _, rest = (record.protocol or "").partition("; ")
            if rest.startswith(protocol):
                seen = rest.removeprefix(protocol).removeprefix(", ")
                name = row.partition(", ")[0] + (f" ({seen})" if protocol and seen else "")
                found.append(dataclasses.replace(record, head=name, protocol=None))
        return found

    return choose


_BY_ANOMALY = ("anomaly",)
TABLES: dict[str, Table] = {
    "mnist-classification": Table(
        "mnist.jsonl",
        "Classification of the MNIST test images, and time of training",
        _classification,
        ("head",),
        ("metric", "unit"),
    ),
    "mnist-geometry": Table(
        "mnist.jsonl",
        "Geometry of the feature space on MNIST; in parentheses the distance at the optimum of the loss, where it has one",
        _geometry,
        ("head",),
        ("metric", "unit"),
        published=True,
    ),
    "mnist-detection": Table(
        "mnist.jsonl",
        "AUROC in percent: MNIST test images against what no model saw in training",
        _auroc,
        ("head", "detector"),
        ("anomaly",),
    ),
    "mnist-refusal": Table(
        "mnist.jsonl",
        "Share refused in percent, calibrated on held-out training images for 1% false alarms",
        _refused,
        ("head", "detector"),
        ("anomaly",),
    ),
    "mnist-heads": Table(
        "mnist-heads.jsonl",
        "MNIST, `fast-28`, three epochs: test error in percent, and in parentheses what was published for L's network",
        _heads(None),
        ("head",),
        ("anomaly",),
        published=True,
    ),
    "mnist-heads-table-1": Table(
        "mnist-heads.jsonl",
        "MNIST, L's network (`cvpr-6`), three epochs at one rate: test error in percent, and in parentheses L's Table 1",
        _heads("L's network"),
        ("head",),
        ("anomaly",),
        published=True,
    ),
    "mnist-distances": Table(
        "mnist-distances.jsonl",
        "MNIST, GM in 100-D: distance of two class means, and in parentheses the optimum of the loss; shape of the classes",
        _shape,
        ("head",),
        ("metric", "unit"),
        digits=3,
        published=True,
    ),
    "mnist-fgsm": Table(
        "mnist-fgsm.jsonl",
        "Test error under attack in percent, and in parentheses L's Table 6",
        _rows("robustness", "error"),
        ("head",),
        _BY_ANOMALY,
        published=True,
    ),
    "mnist-fgsm-eer": Table(
        "mnist-fgsm.jsonl",
        "Equal error rate in percent of telling attacked test images from untouched ones, and in parentheses L's",
        _rows("detection", "eer"),
        ("head", "detector"),
        _BY_ANOMALY,
        published=True,
    ),
    "mnist-attacks": Table(
        "mnist-detection.jsonl",
        "AUROC in percent, all attacked images against the same untouched, and in parentheses T's Table 7",
        _rows("detection", "auroc", "all-attacked"),
        ("head", "detector"),
        _BY_ANOMALY,
        published=True,
    ),
    "mnist-attacks-fooled": Table(
        "mnist-detection.jsonl",
        "AUROC in percent, those images alone that the model got right and the attack changed to its target",
        _rows("detection", "auroc", "right-before-and-fooled"),
        ("head", "detector"),
        _BY_ANOMALY,
        published=True,
    ),
    "mnist-attacks-success": Table(
        "mnist-detection.jsonl",
        "Share of attacks that reach their target, in percent",
        _rows("robustness", "success"),
        ("head",),
        _BY_ANOMALY,
    ),
    "mnist-white-box": Table(
        "mnist-white-box.jsonl",
        "AUROC in percent, all attacked images against the same untouched, and in parentheses T's Tables 10 and 11",
        _rows("detection", "auroc", "all-attacked"),
        ("head", "detector"),
        _BY_ANOMALY,
        published=True,
    ),
    "mnist-white-box-fooled": Table(
        "mnist-white-box.jsonl",
        "AUROC in percent, those images alone that the model got right and the attack brought to its target",
        _rows("detection", "auroc", "right-before-and-fooled"),
        ("head", "detector"),
        _BY_ANOMALY,
        published=True,
    ),
    "mnist-white-box-success": Table(
        "mnist-white-box.jsonl",
        "Share of attacks that reach their target, under `cw-detector` with a score that passes, in percent; in parentheses T's",
        _rows("robustness", "success"),
        ("head",),
        _BY_ANOMALY,
        published=True,
    ),
    "mnist-white-box-distortion": Table(
        "mnist-white-box.jsonl",
        "Distortion of those that succeed, root mean square over pixels in [0, 1], and in parentheses T's by 255",
        _rows("robustness", "distortion"),
        ("head",),
        _BY_ANOMALY,
        digits=4,
        published=True,
    ),
    "mnist-beyond": Table(
        "mnist-beyond.jsonl",
        "AUROC in percent of attacks, 500 test images each, all attacked images against the same untouched",
        _rows("detection", "auroc", "all-attacked"),
        ("head", "detector"),
        _BY_ANOMALY,
    ),
    "mnist-beyond-safety": Table(
        "mnist-beyond.jsonl",
        "Share of attacked images in percent that are right, or refused at 5% false alarms",
        lambda records: [r for r in _rows("safety", "right-or-refused")(records) if r.anomaly],
        ("head", "detector"),
        _BY_ANOMALY,
    ),
    "mnist-beyond-unknown": Table(
        "mnist-beyond.jsonl",
        "AUROC in percent of unknown images",
        _rows("detection", "auroc", "all-test-samples"),
        ("head", "detector"),
        _BY_ANOMALY,
    ),
    "costs": Table(
        "benchmarks.jsonl",
        "Time of a step, as ratios within one run",
        _speed,
        ("protocol",),
        ("metric",),
    ),
    "costs-float32": Table(
        "benchmarks.jsonl",
        "Time of a step in float32, as ratios of medians within one run; N=256",
        _costs(
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
        "benchmarks.jsonl",
        "Time of a step with bfloat16 products, likewise",
        _costs(
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
        "benchmarks.jsonl",
        "Peak memory of a step in MiB, beside parameters, features and the gradients it leaves",
        _costs(
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
        "benchmarks.jsonl",
        "With the allocator as it is",
        lambda records: [r for r in select(records, task="heads") if "allocator" in (r.protocol or "")],
        ("protocol",),
        ("metric",),
    ),
    "costs-million": Table(
        "benchmarks.jsonl",
        "A step of training, the whole process's peak memory in GiB",
        _of_task("million"),
        ("protocol",),
        ("metric", "unit"),
    ),
    "costs-rounding": Table(
        "benchmarks.jsonl",
        "Errors against float64: of the loss in nats, of gradients relative to their norm",
        _of_task("rounding"),
        ("protocol",),
        ("metric", "unit"),
        digits=5,
    ),
    "costs-scores": Table(
        "benchmarks.jsonl",
        "K-density of 1,000 features among 60,000 of 100 dimensions (one thread)",
        _of_task("k_density"),
        ("protocol",),
        ("metric", "unit"),
        digits=6,
    ),
    "costs-attacks": Table(
        "benchmarks.jsonl",
        "Carlini & Wagner's attack at the same settings (one thread)",
        _of_task("attacks"),
        ("protocol",),
        ("metric",),
        digits=3,
    ),
    "costs-training": Table(
        "benchmarks.jsonl",
        "The training loop against a plain one on the same network",
        _of_task("training"),
        ("protocol",),
        ("metric",),
    ),
}
"""Every table by the name in its marker."""


def make(name: str, results: Path) -> str:
    """Return the text of a table with its caption; empty where its file, or its records, are not there.

    Raises:
        ValueError: an unknown table, or a damaged file of records.
    """
    if name not in TABLES:
        raise _io.unknown("table", name, TABLES)
    chosen = TABLES[name]
    path = results / chosen.file
    records = chosen.choose(latest(read(path))) if path.is_file() else []
    if not records:
        return ""
    body = table(
        [percent(record) for record in records],
        rows=chosen.rows,
        columns=chosen.columns,
        digits=chosen.digits,
        published=chosen.published,
    )
    return f"{chosen.caption} ({_origin(records, (*chosen.rows, *chosen.columns))}):\n\n{body}\n"


def _origin(records: Sequence[Record], fields: Sequence[str]) -> str:
    """Return how often and on what the records were measured; `fields` are those that a cell's records have in common."""
    seeds: dict[tuple[object, ...], set[int | None]] = {}
    for record in records:
        seeds.setdefault(tuple(getattr(record, name) for name in fields), set()).add(record.seed)
    repeats = max(map(len, seeds.values()))
    processors = sorted({record.environment.get("processor", "") for record in records} - {""})
    torches = sorted({record.environment.get("torch", "") for record in records} - {""})
    parts = [f"mean ± standard deviation of {repeats} seeds"] if repeats > 1 else []
    parts += [*processors, *(f"torch {version}" for version in torches)]
    return "; ".join(parts) or "no details recorded"


def render(text: str, results: Path) -> str:
    """Return a Markdown text with every marked table made anew.

    Raises:
        ValueError: an unknown table, or a marker without its partner; with the line.
    """
    left = _MARKER.search(_MARKED.sub(lambda match: "\n" * match[0].count("\n"), text))
    if left or any(_MARKER.search(match["body"]) for match in _MARKED.finditer(text)):
        raise ValueError(
            "a marker `<!-- table: NAME -->` or `<!-- end -->` has no partner" + (f": {left[0]}" if left else "")
        )

    def replacement(match: re.Match[str]) -> str:
        content = make(match["name"], results)
        return f"<!-- table: {match['name']} -->\n{content}<!-- end -->"

    return _MARKED.sub(replacement, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite or check the pages; return 1 if they were checked and one is stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the tables are stale")
    parser.add_argument(
        "--pages", type=Path, nargs="+", default=[ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    )
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    flags = parser.parse_args(arguments)
    stale = [page for page in flags.pages if _renew(page, flags.results, check=flags.check)]
    if flags.check and stale:
        print(f"{', '.join(page.name for page in stale)} is stale: python benchmarks/tables.py", file=sys.stderr)
        return 1
    return 0


def _renew(page: Path, results: Path, *, check: bool) -> bool:
    """Rewrite a page, or show what would change, and return whether anything does."""
    before = page.read_text()
    after = render(before, results)
    if before == after:
        return False
    if check:
        lines = difflib.unified_diff(
            before.splitlines(True), after.splitlines(True), page.name, f"{page.name}, made anew"
        )
        sys.stdout.writelines(lines)
    else:
        _io.write_bytes(page, after.encode())
    return True


if __name__ == "__main__":
    sys.exit(main())
