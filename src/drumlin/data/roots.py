"""Where data sets and caches live on a machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_cache() -> Path:
    """Return drumlin's folder among the user's caches; it need not exist.

    `XDG_CACHE_HOME/drumlin` where that variable is set, on any platform; else `%LOCALAPPDATA%/drumlin` on Windows and
    `~/.cache/drumlin` elsewhere (macOS included, as torch does).
    """
    given = os.environ.get("XDG_CACHE_HOME")
    if not given and sys.platform == "win32":
        given = os.environ.get("LOCALAPPDATA")
    return (Path(given) if given else Path.home() / ".cache") / "drumlin"


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that holds the data sets: `root` if given, else the environment's DRUMLIN_DATA, else `user_cache()/data`.

    Raises:
        ValueError: it exists and is no folder. (That it does not exist is no error: `digits` needs none.)

    >>> data_root("sets").name
    'sets'
    """
    path = Path(root or os.environ.get("DRUMLIN_DATA") or user_cache() / "data").expanduser()
    if path.exists() and not path.is_dir():
        raise ValueError(f"data root {path} is a file; give a folder with --data-root or DRUMLIN_DATA")
    return path


def check_writable(root: Path) -> None:
    """Make the folder `root` if need be, and raise a ValueError if nothing can be written into it."""
    probe = root / f".drumlin-{os.getpid()}.probe"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(
            f"data root {root} cannot be written ({error.strerror}), so nothing can be downloaded into it; "
            "give another folder with --data-root or DRUMLIN_DATA"
        ) from None
