"""What a user may write for data: NAME, NAME:CLASSES, folder:PATH."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drumlin._io import unknown


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A parsed specification: a name with the classes asked for, or a folder."""

    text: str
    """As the user wrote it."""

    name: str = ""
    """The data set's name; empty for a folder."""

    classes: str | None = None
    """What came after the name's colon; None where there was none."""

    folder: Path | None = None
    """The folder of images; None for a named set."""


def parse_spec(text: str) -> Spec:
    """Take NAME, NAME:CLASSES or folder:PATH apart. Whether the name, the classes or the path exist is not looked at.

    Raises:
        ValueError: an empty name or path.

    >>> parse_spec("digits:0-7").classes
    '0-7'
    """
    name, colon, rest = text.partition(":")
    if name == "folder":
        if not rest:
            raise ValueError(f"data {text!r} names no folder; write folder:PATH")
        return Spec(text=text, folder=Path(rest).expanduser())
    if not name:
        raise ValueError(f"data {text!r} names no data set; write NAME, NAME:CLASSES or folder:PATH")
    return Spec(text=text, name=name, classes=rest if colon else None)


def select_classes(
    text: str, class_names: Sequence[str], groups: Mapping[str, Sequence[str]] | None = None
) -> list[int]:
    """Return the indices of the classes that `text` names, ascending and each once.

    Args:
        text: names, indices, ranges of indices (both ends included) and groups, separated by commas.
        class_names: all classes, in the order of their labels. A name goes before an index that looks the same.
        groups: name of a group -> its classes; those that are not among `class_names` are passed over.

    Raises:
        ValueError: a name that is none, an index out of range, a range that runs backwards, or no class at all.

    >>> select_classes("0-2,frog", ["cat", "dog", "deer", "eel", "frog"])
    [0, 1, 2, 4]
    """
    chosen: set[int] = set()
    last = len(class_names) - 1
    known = dict(groups or {})
    for token in filter(None, map(str.strip, text.split(","))):
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", token)
        if token in class_names:
            chosen.add(class_names.index(token))
        elif token in known:
            members = set(known[token])
            chosen.update(i for i, name in enumerate(class_names) if name in members)
        elif span is None:
            raise unknown("class", token, [*class_names, *known])
        else:
            low, high = int(span[1]), int(span[2] or span[1])
            if low > high:
                raise ValueError(f"classes {token!r} run backwards; write {high}-{low}")
            if high > last:
                raise ValueError(f"classes {token!r}: there is no class {high}, they are numbered 0 to {last}")
            chosen.update(range(low, high + 1))
    if not chosen:
        raise ValueError(
            f"class list {text!r} names no class; write names, indices or ranges such as 0-{last}, separated by commas"
        )
    return sorted(chosen)
