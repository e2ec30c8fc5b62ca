"""drumlin report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from drumlin.cli._parsing import parse


@dataclass(kw_only=True)
class Report:
    """Write one page of a run, or of several side by side: what the model knows, and what it doesn't. Or of a folder of records."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders that `drumlin train --out` wrote; or one folder of records of `drumlin reproduce`, for every table that they make."""
    out: Path | None = None
    """File of the page; by default report.html in the first run or the folder of records."""
    figures: Path | None = None
    """Folder for the page's figures as PNG and SVG."""


def run(words: Sequence[str]) -> int:
    """Write the page, and say where it is."""
    flags = parse(Report, words, name="report")
    if not flags.runs:
        raise ValueError("no run: name the folders that `drumlin train --out` wrote")
    from drumlin.report import write_report
    from drumlin.report.measured import holds_records, write_measurements

    records = [path for path in flags.runs if holds_records(path)]
    if records:
        if len(flags.runs) > 1:
            raise ValueError(f"{records[0]} has records, and they have a page of their own: name it alone")
        if flags.figures is not None:
            raise ValueError("a page of records has no figures: leave --figures out")
        from drumlin.recipes.ordering import in_order

        print(f"page: {write_measurements(records[0], flags.out, order=in_order)}")
        return 0
    print(f"page: {write_report(flags.runs, flags.out, figures=flags.figures)}")
    if flags.figures is not None:
        print(f"figures: {flags.figures}")
    return 0
