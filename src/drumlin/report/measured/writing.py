"""Folders of records → a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from drumlin.report.measured.page import render
from drumlin.report.measured.reading import read_folder
from drumlin.report.writing import check_target, write_page
from drumlin.results import Record


def write_measurements(
    path: Path | str,
    out: Path | str | None = None,
    *,
    order: Callable[[Iterable[Record]], Sequence[Record]] | None = None,
) -> Path:
    """Write one self-contained page of what was measured, and return its path.

    Every table of README and docs of which there are records stands on it, every number that has a published value beside it, and
    the rest one by one: means and standard deviations over seeds, numbers of seeds and images, scales, differences.

    Args:
        path: a folder of files of records, or one such file.
        out: the page; by default `report.html` in the folder, or beside a file by its name, `NAME.html`. An earlier report is
            replaced, another file is not.
        order: records → the same in the order of the tables' lines, such as `drumlin.recipes.ordering.in_order`; by default as they
            were recorded.

    Raises:
        ValueError: no such path, no records, or a damaged file; a page that holds something else, or cannot be written.
    """
    path = Path(path)
    records = read_folder(path)
    if not records:
        file = path / "NAME.jsonl" if path.is_dir() else path
        raise ValueError(f"{path} has no records yet: `drumlin reproduce NAME --results {file}` makes some")
    beside = path / "report.html" if path.is_dir() else path.with_suffix(".html")
    target = beside if out is None else Path(out)
    check_target(target)
    write_page(target, render(records if order is None else order(records), path.resolve().name))
    return target
