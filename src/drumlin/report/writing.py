"""Runs' folders → a page, and figures as files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from drumlin import _io
from drumlin.report import files
from drumlin.report.contents import RunContents
from drumlin.report.document import GENERATOR
from drumlin.report.page import render
from drumlin.report.reading import read_run


def write_report(
    runs: Sequence[Path | str], out: Path | str | None = None, *, figures: Path | str | None = None
) -> Path:
    """Write one self-contained page of one run, or of several side by side, and return its path.

    The page is made from the runs' folders alone: what has not been measured is said on it, with the command that does. It loads
    nothing, and is at most 12 MB large. Runs of different data may stand side by side; the page then says so.

    Args:
        runs: finished runs' folders.
        out: the page; `report.html` in the first run by default. An earlier report is replaced, another file is not.
        figures: a folder for the same figures as PNG and SVG files; `NAME-FIGURE.png` where there are several runs.

    Raises:
        ValueError: no run, or one given twice; a folder that is no run, unfinished, damaged or of another version; a path that
            holds something else, or cannot be written.
    """
    folders = [Path(run) for run in runs]
    if not folders:
        raise ValueError("no run: give the folder of at least one")
    places = [folder.resolve() for folder in folders]
    for i, place in enumerate(places):
        if place in places[:i]:
            raise ValueError(f"{folders[i]} is given twice: a run stands once on a page")
    target = folders[0] / "report.html" if out is None else Path(out)
    contents = _named([read_run(folder) for folder in folders])
    check_target(target)
    write_page(target, render(contents))
    if figures is not None:
        files.write_figures(contents, Path(figures))
    return target


def write_page(target: Path, page: str) -> None:
    """Write a page.

    Raises:
        ValueError: it cannot be written.
    """
    try:
        _io.write_bytes(target, page.encode())
    except OSError as error:
        raise ValueError(f"the report {target} cannot be written: {error.strerror or error}") from None


def check_target(path: Path) -> None:
    """Refuse to write a report over what is none.

    Raises:
        ValueError: a folder, or a file that drumlin did not write as a report.
    """
    if path.is_dir():
        raise ValueError(f"the report {path} is a folder: give the name of a file, such as {path / 'report.html'}")
    if not os.path.lexists(path):
        return
    try:
        with open(path, "rb") as file:
            start = file.read(2000)
    except OSError as error:
        raise ValueError(f"the report {path} cannot be written: {error.strerror or error}") from None
    if f'content="{GENERATOR}"'.encode() not in start:
        raise ValueError(f"{path} exists and is not a report of drumlin: it is left as it is; give another file")


def _named(runs: list[RunContents]) -> list[RunContents]:
    """Return runs with names that tell them apart: as much of their folders' paths as that takes."""
    parts = [run.folder.resolve().parts for run in runs]
    longest = max(map(len, parts))
    for length in range(1, longest + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return [dataclasses.replace(run, name=name) for run, name in zip(runs, names, strict=True)]
