"""Files that are either whole or not there, content hashes, and error messages that name the nearest valid choice.

Knows nothing of learning, and imports nothing outside the standard library.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

if sys.platform != "win32":
    import fcntl


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on leaving, flush it to disk and rename it, or remove it if an error came.

    A reader sees the old file or the whole new one, also after a crash. Parent folders are created.

    Raises:
        OSError: the folder cannot be written, or the disk is full; `path` is then as it was.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def locked(file: IO[bytes], *, exclusive: bool, wait: bool = True) -> Iterator[None]:
    """Hold an advisory lock on an open file inside the block; however a process ends, the system lets go of its locks.

    Args:
        file: to lock; not on Windows, where one process at a time is the user's matter.
        exclusive: alone, or together with others that ask for a shared lock.
        wait: for those who hold it.

    Raises:
        BlockingIOError: another holds it, and `wait` is off.
        OSError: the file system has no locks.
    """
    if sys.platform == "win32":
        yield
        return
    fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def still_at(file: IO[bytes], path: str | os.PathLike[str]) -> bool:
    """Return whether an open file is the one that lies at `path` now; it is not once it was removed or replaced.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     still_at(file, file.name), still_at(file, file.name + "x")
    (True, False)
    """
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON to `path` atomically. NaN and infinity are refused: they are not JSON."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read JSON from `path`.

    Raises:
        ValueError: the file is not JSON; the message names it.
        FileNotFoundError: there is no such file.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not valid JSON ({error}); the file is damaged or not one of drumlin's") from None


def read_json_lines(path: str | os.PathLike[str]) -> list[Any]:
    """Read a file of one JSON value a line; empty lines are left out.

    Raises:
        ValueError: a line is not JSON; the message has the file and the line's number.
        FileNotFoundError: there is no such file.
    """
    values = []
    for number, line in enumerate(Path(path).read_bytes().split(b"\n"), 1):
        try:
            values += [json.loads(line)] if line.strip() else []
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}:{number}: not JSON ({error}); the file is damaged there") from None
    return values


def hash_bytes(*parts: bytes) -> str:
    """SHA-256 of `parts`, in order, each with its length; hexadecimal.

    >>> hash_bytes(b"ab", b"c") == hash_bytes(b"a", b"bc")
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def hash_json(value: Any) -> str:
    """SHA-256 of a JSON value, independent of the order of its keys; hexadecimal.

    >>> hash_json({"a": 1, "b": 2}) == hash_json({"b": 2, "a": 1})
    True
    """
    return hash_bytes(json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object with the hash of its content as `content`, for `check_seal`."""
    plain = {key: item for key, item in value.items() if key != "content"}
    return plain | {"content": hash_json(plain)}


def check_seal(value: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Check the `content` that `sealed` put into a JSON object.

    Raises:
        ValueError: it is missing or wrong: the file `path` is damaged or was changed by hand.

    >>> check_seal(sealed({"a": 1}), "a.json")
    >>> check_seal(sealed({"a": 1}) | {"a": 2}, "a.json")
    Traceback (most recent call last):
    ValueError: a.json is damaged or was changed by hand (its hash differs)
    """
    if value.get("content") != sealed(value)["content"]:
        raise ValueError(f"{path} is damaged or was changed by hand (its hash differs)")


def check_version(value: Any, path: str | os.PathLike[str], version: int, remedy: str = "") -> None:
    """Check the `schema` of a JSON value that was read from `path`.

    Args:
        value: of any kind: the file may be another program's.
        version: the one that is read.
        remedy: what the user can do, for the messages.

    Raises:
        ValueError: it is no object of drumlin's, or of another version.

    >>> check_version({"schema": 1}, "a.json", 1)
    >>> check_version({"model_type": "vit"}, "a.json", 1)
    Traceback (most recent call last):
    ValueError: a.json is not drumlin's, it has no version of such a file: give a folder that drumlin wrote
    """
    found = value.get("schema") if isinstance(value, dict) else None
    advice = f"; {remedy}" if remedy else ""
    if not isinstance(found, int):
        raise ValueError(
            f"{path} is not drumlin's, it has no version of such a file: give a folder that drumlin wrote{advice}"
        )
    if found != version:
        raise ValueError(f"{path} is of version {found}; this drumlin reads version {version}{advice}")


def hash_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, read in pieces; hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unknown(what: str, name: str, known: Iterable[str]) -> ValueError:
    """Return the error for an unknown name: what it was, the nearest names, and all of them if there are few.

    >>> raise unknown("head", "sofmax", ["softmax", "gm"])
    Traceback (most recent call last):
    ValueError: unknown head 'sofmax': did you mean 'softmax'? (known: gm, softmax)
    """
    names = sorted(known)
    folded: dict[str, str] = {each.casefold(): each for each in names}  # "GM" is near to "gm"
    near = [folded[each] for each in difflib.get_close_matches(name.casefold(), folded, n=3)]
    hint = f": did you mean {' or '.join(map(repr, near))}?" if near else ""
    listing = f" (known: {', '.join(names)})" if len(names) <= 40 else ""
    return ValueError(f"unknown {what} {name!r}{hint}{listing}")
