"""Folders and files of records → records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from drumlin.results import Record, latest, read

SUFFIX = ".jsonl"
_OF_CANDIDATES = ("tuning", "training")
"""Tasks of which a row has records of every learning rate that was tried."""


def holds_records(path: Path) -> bool:
    """Return whether a path is a file of records by its name, or a folder that has some and is no run."""
    if path.is_dir():
        return not (path / "config.json").exists() and bool(_files(path))
    return path.suffix == SUFFIX


def read_folder(path: Path) -> list[Record]:
    """Return the latest records of each measurement in a file, or in the files of a folder by their names.

    Raises:
        ValueError: no such path, a folder without a file of records, or a damaged file; with the file and its line.
    """
    if not path.exists():
        raise ValueError(
            f"there is no {path}: name a folder of records, such as results/, or a file that ends in {SUFFIX}"
        )
    files: Sequence[Path] = _files(path) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"the folder {path} has no records: files of them end in {SUFFIX}")
    return [record for file in files for record in current(read(file))]


def current(records: Iterable[Record]) -> list[Record]:
    """Return what still counts of records, each recipe and scale by itself: the latest of each measurement.

    What was measured of a row of a recipe with settings that it no longer has is left out, as far as the records say with which.
    """
    apart: dict[tuple[str | None, str], list[Record]] = {}
    for record in records:
        apart.setdefault((record.recipe, record.scale), []).append(record)
    return [record for each in apart.values() for record in _settled(latest(each))]


def _settled(records: Sequence[Record]) -> list[Record]:
    """Return those of a recipe that were made with the newest settings of their row, and of their row and seed."""
    measured = [record for record in records if record.recipe and record.task not in _OF_CANDIDATES]
    settings = {_row(record): record.settings for record in measured if record.settings is not None}
    asked = {(_row(record), record.seed): record.asked for record in measured if record.asked is not None}
    return [
        record
        for record in records
        if not record.recipe
        or record.task in _OF_CANDIDATES
        or (
            record.settings in (None, settings.get(_row(record)))
            and record.asked in (None, asked.get((_row(record), record.seed)))
        )
    ]


def _row(record: Record) -> str:
    return (record.protocol or "").partition("; ")[0]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file())
