"""The tables of README.md, made from the records in results/: nobody types a number into them.

    python benchmarks/tables.py            rewrite what stands between the markers of README.md
    python benchmarks/tables.py --check    fail if README.md is not what it would be rewritten to

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
    """A table of README.md: the file of records under results/, what to say above it, and how it is made of them."""

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


def _auroc(records: Sequence[Record]) -> list[Record]:
    return select(records, task="detection", metric="auroc")


def _refused(records: Sequence[Record]) -> list[Record]:
    chosen = select(records, task="refusal", metric="refused")
    return [dataclasses.replace(r, anomaly="test (false alarms)") if r.anomaly == "test" else r for r in chosen]


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
    "benchmarks": Table(
        "benchmarks.jsonl",
        "Speed, as ratios within one run",
        list,
        ("task", "protocol"),
        ("metric", "unit"),
        digits=3,
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
    return f"{chosen.caption} ({_origin(records)}):\n\n{body}\n"


def _origin(records: Sequence[Record]) -> str:
    """Return how often and on what the records were measured."""
    seeds = {record.seed for record in records if record.seed is not None}
    processors = sorted({record.environment.get("processor", "") for record in records} - {""})
    torches = sorted({record.environment.get("torch", "") for record in records} - {""})
    parts = [f"mean ± standard deviation of {len(seeds)} seeds"] if len(seeds) > 1 else []
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
    """Rewrite or check README.md; return 1 if it was checked and is stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the tables are stale")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    flags = parser.parse_args(arguments)
    before = flags.readme.read_text()
    after = render(before, flags.results)
    if before == after:
        return 0
    if flags.check:
        diff = difflib.unified_diff(
            before.splitlines(True), after.splitlines(True), "README.md", "README.md, made anew"
        )
        sys.stdout.writelines(diff)
        print("README.md is stale: python benchmarks/tables.py", file=sys.stderr)
        return 1
    _io.write_bytes(flags.readme, after.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
