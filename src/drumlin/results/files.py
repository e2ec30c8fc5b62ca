"""Records as lines of JSON in a file that only grows."""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from drumlin import _io
from drumlin.results.record import SCHEMA, Record, check_fields

_REMEDY = "delete that line, or the file, to go on, and measure again what it held"


def append(path: str | os.PathLike[str], records: Iterable[Record]) -> None:
    """Add records to a file of JSON lines, all or none, on disk when this returns.

    Processes that append at once wait for one another. A last line that a crash left torn is removed, with a warning.
    Parent folders are created.

    Raises:
        OSError: the file cannot be written, or the disk is full; it is then as it was.
    """
    lines = [json.dumps(dataclasses.asdict(record), allow_nan=False, ensure_ascii=False) + "\n" for record in records]
    content = "".join(lines).encode()
    if not content:
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b", buffering=0) as file, _io.locked(file, exclusive=True):
        end = _mend(file, path)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(end)
            raise


def read(path: str | os.PathLike[str]) -> list[Record]:
    """Return the records of a file, in the order in which they were written.

    A last line that a crash left torn is skipped, with a warning.

    Raises:
        ValueError: a line that is no record of this schema; the message has the file and the line's number.
        FileNotFoundError: there is no such file.
    """
    with open(path, "rb") as file, _io.locked(file, exclusive=False):
        lines = file.read().split(b"\n")
    if lines[-1] and not _is_json(lines[-1]):
        warnings.warn(f"{path}: skipped a torn last line of {len(lines[-1])} bytes, left by a crash", stacklevel=2)
        lines.pop()
    return [_parse(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def _parse(line: bytes, where: str) -> Record:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where}: not JSON ({error}); the file is damaged there: {_REMEDY}") from None
    if not isinstance(values, dict) or "schema" not in values:
        raise ValueError(f"{where}: not a record of drumlin: an object with a schema was expected; {_REMEDY}")
    if values["schema"] != SCHEMA:
        raise ValueError(
            f"{where}: schema {values['schema']!r} is not known, only {SCHEMA}: written by another version of drumlin; "
            "read it with that one"
        )
    try:
        check_fields(values)
        return Record(**values)
    except (ValueError, TypeError) as error:  # TypeError: a field is missing
        raise ValueError(f"{where}: {error}") from None


def _is_json(line: bytes) -> bool:
    # A torn object lacks its closing brace and is never JSON; one that only lacks its line end is whole.
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _mend(file: IO[bytes], path: Path) -> int:
    """End the last line, or remove it if it is torn; return the file's length."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    tail = file.read().rpartition(b"\n")[2]
    if not tail:
        return end
    if _is_json(tail):
        return end + file.write(b"\n")
    warnings.warn(f"{path}: removed a torn last line of {len(tail)} bytes, left by a crash", stacklevel=3)
    file.truncate(end - len(tail))
    return end - len(tail)
