"""Command lines from dataclasses, through tyro: errors in one line, and names that decide which further flags there are."""

from __future__ import annotations

import contextlib
import difflib
import io
import re
import sys
from collections.abc import Sequence
from typing import TypeVar

from drumlin._io import unknown

T = TypeVar("T")
_FRAME = "╭╮╰╯│─ "
_FLAG = re.compile(r"^[│ ]*--([a-z][\w.-]*)(?:, --([\w.-]+))?", re.MULTILINE)
"""A flag, and its negation if it has one, at the beginning of a line of tyro's help."""


def parse(command: type[T], words: Sequence[str], *, name: str, fixed: str = "") -> T:
    """Return an instance of the dataclass `command` from the words of a command line.

    Args:
        command: a dataclass; its docstrings are the help.
        words: what follows the command's name.
        name: of the command.
        fixed: what was read beforehand, for messages about flags that are not known, e.g. "with --head softmax".

    Raises:
        ValueError: a flag or value that does not fit, in one line.
        SystemExit: after printing the help that was asked for.
    """
    import tyro

    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            parsed, rest = tyro.cli(command, prog=f"drumlin {name}", args=list(words), return_unknown_args=True)
    except SystemExit as end:
        if end.code == 0:
            raise
        raise ValueError(f"{_message(complaint.getvalue())} (see drumlin {name} --help)") from None
    if rest:
        what = f" {fixed}" if fixed else ""
        hint = _nearest(rest[0], [*_flags(command), *re.findall(r"--([\w-]+)", fixed)])
        raise ValueError(f"{rest[0]}: drumlin {name} has no such argument{what}{hint} (see drumlin {name} --help)")
    return parsed


def _nearest(word: str, flags: Sequence[str]) -> str:
    """Return the question whether one of these flags was meant, or nothing."""
    if not word.startswith("--"):
        return ""
    given = word.removeprefix("--").partition("=")[0].replace("_", "-")
    inner = [flag for flag in flags if flag.endswith(f".{given}")]  # --lr is --optimizer.lr
    near = inner or difflib.get_close_matches(given, flags, n=3)
    return f": did you mean {' or '.join(repr(f'--{flag}') for flag in near)}?" if near else ""


def _flags(command: type[object]) -> list[str]:
    """Return the flags of a command without their dashes; tyro tells them nowhere but in its help."""
    import tyro

    help_text = io.StringIO()
    with contextlib.redirect_stdout(help_text), contextlib.suppress(SystemExit):
        tyro.cli(command, args=["--help"])
    return [flag for found in _FLAG.findall(help_text.getvalue()) for flag in found if flag]


def _message(complaint: str) -> str:
    """Return the first paragraph of tyro's framed error as one line."""
    lines = [line.strip(_FRAME) for line in complaint.splitlines()[1:]]
    paragraph = []
    for line in lines:
        if not line:
            break
        paragraph.append(line)
    return " ".join(paragraph) or "the command line cannot be read"


def take(words: Sequence[str], flag: str, default: str) -> tuple[str, list[str]]:
    """Return the value of `--flag VALUE` or `--flag=VALUE` (the last one counts), and the words without it.

    >>> take(["--head", "gm", "--seed", "1"], "--head", "softmax")
    ('gm', ['--seed', '1'])
    """
    value, rest, position = default, [], 0
    while position < len(words):
        word = words[position]
        if word == flag:
            if position + 1 == len(words) or words[position + 1].startswith("--"):
                raise ValueError(f"{flag} needs a value")
            value = words[position + 1]
            position += 1
        elif word.startswith(f"{flag}="):
            value = word.removeprefix(f"{flag}=")
        else:
            rest.append(word)
        position += 1
    return value, rest


def choose(what: str, names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return `names` if all are known.

    Raises:
        ValueError: one is not; the message has the nearest.
    """
    for name in names:
        if name not in known:
            raise unknown(what, name, known)
    return list(names)


def progress(text: str) -> None:
    """Say what is going on, on standard error."""
    print(text, file=sys.stderr, flush=True)
