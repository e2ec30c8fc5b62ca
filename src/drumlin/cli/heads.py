"""drumlin heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from drumlin.cli._parsing import parse
from drumlin.cli._settings import show_settings
from drumlin.cli._tables import table
from drumlin.settings.heads import HEADS, head_settings


@dataclass(kw_only=True)
class Heads:
    """List the heads, or the settings of one."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """A head."""


def run(words: Sequence[str]) -> int:
    """Print the list, or one head's settings."""
    flags = parse(Heads, words, name="heads")
    if flags.name is not None:
        print(show_settings(head_settings(flags.name), prefix="--head."))
        return 0
    rows = [[name, (kind.__doc__ or "").splitlines()[0]] for name, kind in HEADS.items()]
    print(table(["head", "what it is"], rows))
    print("\nsettings of one: drumlin heads NAME")
    return 0
