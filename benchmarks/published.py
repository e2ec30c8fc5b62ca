"""The published values in results/, as the recipes have them now: a record keeps those that its recipe had when it was measured.

    python benchmarks/published.py            rewrite the files
    python benchmarks/published.py --check    fail if a record has another value than its recipe

Nothing else of a record is touched, and none of a row that its recipe does not have any more. A
value that a recipe has withdrawn stays: a task may have set it. It is not to be run while something measures into a file.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from drumlin import _io
from drumlin.recipes import RECIPES, recipe
from drumlin.recipes.recording import TUNING, beside_published
from drumlin.recipes.variants import Variant
from drumlin.results import Record, read
from drumlin.tasks.training_time import TASK as TRAINING

ROOT = Path(__file__).resolve().parents[1]


def renewed(records: Sequence[Record]) -> list[Record]:
    """Return the records, each beside what its recipe says was published of it."""
    rows: dict[tuple[str, str], dict[str, Variant]] = {}
    found = []
    for record in records:
        if record.recipe not in RECIPES or record.task in (TUNING, TRAINING):
            found.append(record)
            continue
        key = record.recipe, record.scale
        if key not in rows:
            rows[key] = {variant.name: variant for variant in recipe(*key).variants}
        variant = rows[key].get((record.protocol or "").partition("; ")[0])
        found.append(record if variant is None else beside_published(record, variant))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite or check the files; return 1 if they were checked and a record is behind its recipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a record is behind its recipe")
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    flags = parser.parse_args(arguments)
    behind = 0
    for path in sorted(flags.results.glob("*.jsonl")):
        records = read(path)
        fresh = renewed(records)
        changed = [(old, new) for old, new in zip(records, fresh, strict=True) if old != new]
        behind += len(changed)
        for old, new in changed:
            what = f"{path.name}: {old.protocol}, {old.metric}"
            print(f"{what}: {old.published} ({old.published_source}) is {new.published} ({new.published_source})")
        if changed and not flags.check:
            lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
            kept = [
                line if old == new else json.dumps(dataclasses.asdict(new), allow_nan=False, ensure_ascii=False)
                for line, old, new in zip(lines, records, fresh, strict=True)
            ]
            _io.write_bytes(path, "".join(f"{line}\n" for line in kept).encode())
    if behind and flags.check:
        print(f"{behind} records are behind their recipes: python benchmarks/published.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
