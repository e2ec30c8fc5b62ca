"""Folders and files of records → records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drumlin.results import Record, latest, read

SUFFIX = ".jsonl"


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
    return [record for file in files for record in latest(read(file))]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file())
