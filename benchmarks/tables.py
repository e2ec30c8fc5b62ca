"""The tables of README.md and docs/, made from the records in results/: nobody types a number into them.

    python benchmarks/tables.py            rewrite what stands between the markers of these pages
    python benchmarks/tables.py --check    fail if a page is not what it would be rewritten to

A table stands between `<!-- table: NAME -->` and `<!-- end -->`, alone on their lines; the names are those of
`drumlin.report.measured.TABLES`, its lines in the order of the recipe. Where its records are not there, nothing stands between them.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from drumlin import _io
from drumlin.recipes.ordering import in_order
from drumlin.report.measured import markdown, read_folder
from drumlin.results import Record

ROOT = Path(__file__).resolve().parents[1]
_MARKED = re.compile(r"^<!-- table: (?P<name>\S+) -->\n(?P<body>.*?)^<!-- end -->$", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"^<!-- (?:table:.*|end) -->$", re.MULTILINE)


def render(text: str, records: Sequence[Record]) -> str:
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
        content = markdown(match["name"], records)
        return f"<!-- table: {match['name']} -->\n{content}<!-- end -->"

    return _MARKED.sub(replacement, text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite or check the pages; return 1 if they were checked and one is stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the tables are stale")
    parser.add_argument(
        "--pages", type=Path, nargs="+", default=[ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    )
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    flags = parser.parse_args(arguments)
    records = in_order(read_folder(flags.results))
    stale = [page for page in flags.pages if _renew(page, records, check=flags.check)]
    if flags.check and stale:
        print(f"{', '.join(page.name for page in stale)} is stale: python benchmarks/tables.py", file=sys.stderr)
        return 1
    return 0


def _renew(page: Path, records: Sequence[Record], *, check: bool) -> bool:
    """Rewrite a page, or show what would change, and return whether anything does."""
    before = page.read_text()
    after = render(before, records)
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
