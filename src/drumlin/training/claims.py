"""Whose a run's folder is: a new run takes an empty one, a resumed run its own, and nothing else is written over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from drumlin import _io
from drumlin.settings.run import RunSettings
from drumlin.training.checkpoints import CHECKPOINT, checkpoint_file
from drumlin.training.environment import environment
from drumlin.training.runs import Run, Split, read_config, write_config, write_split


def check_claim(out: Path, settings: RunSettings, fingerprint: str, *, resume: bool, processes: int) -> None:
    """Refuse a folder that holds anything but this very run."""
    if (out / "config.json").exists():
        if not resume:
            raise ValueError(f"{out} holds a run already: give another --out, or go on with --resume, or remove it")
        differing = _differences(read_config(out).to_json(), settings.to_json())
        if differing:
            raise ValueError(f"{out} was begun with other settings, so it cannot be resumed with these: {differing}")
        if (out / "split.safetensors").exists() and Run(out).split.fingerprint != fingerprint:
            raise ValueError(
                f"{out} was begun on other data: the content of {settings.data.name!r} has changed since; give another --out"
            )
        before = (
            _io.read_json(out / "environment.json")["processes"] if (out / "environment.json").exists() else processes
        )
        if before != processes and not Run(out).finished:
            raise ValueError(
                f"{out} was begun by {before} processes and cannot be resumed by {processes}: it would end in other weights"
            )
    elif (out / "model.json").exists() or checkpoint_file(out / CHECKPOINT).exists():
        raise ValueError(f"{out} holds a model of unknown settings (no config.json): give another --out")


@contextmanager
def claim(out: Path, settings: RunSettings, split: Split, *, resume: bool, processes: int) -> Iterator[None]:
    """Make `out` this run's folder, if it is not that already, and keep others from training in it inside the block.

    Raises:
        ValueError: as of `check_claim`, for what came meanwhile; the folder cannot be written; another process trains in it.
    """
    with ExitStack() as held:
        try:
            out.mkdir(parents=True, exist_ok=True)
            lock = held.enter_context(open(out / ".lock", "ab"))
        except OSError as error:
            raise _unwritable(out, error) from None
        try:
            held.enter_context(_io.locked(lock, exclusive=True, wait=False))
        except BlockingIOError:
            raise ValueError(f"another process is training in {out}: wait for it, or give another --out") from None
        except OSError:
            pass  # a file system without locks: one process at a time is the user's matter
        check_claim(out, settings, split.fingerprint, resume=resume, processes=processes)
        _begin(out, settings, split, processes)
        yield


def _begin(out: Path, settings: RunSettings, split: Split, processes: int) -> None:
    if (out / "config.json").exists():
        return
    try:
        # The configuration comes last: with it the folder is a run, and has all that belongs to one.
        write_split(out, split)
        _io.write_json(out / "environment.json", environment() | {"seed": settings.seed, "processes": processes})
        write_config(out, settings)
    except OSError as error:
        raise _unwritable(out, error) from None


def _unwritable(out: Path, error: OSError) -> ValueError:
    return ValueError(f"--out {out} cannot be written: {error.strerror or error}")


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> str:
    parts = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            parts.append(_differences(a, b, f"{prefix}{key}."))
        elif a != b:
            was, now = (repr(d[key]) if key in d else "left at its default" for d in (old, new))
            parts.append(f"{prefix}{key} was {was}, now {now}")
    return "; ".join(part for part in parts if part)
