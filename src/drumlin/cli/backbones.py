"""drumlin backbones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from drumlin.cli._parsing import parse
from drumlin.cli._settings import show_settings
from drumlin.cli._tables import table
from drumlin.settings.backbones import BACKBONES, LIBRARIES, backbone_settings


@dataclass(kw_only=True)
class Backbones:
    """List the backbones, or the settings of one."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """A backbone."""


def run(words: Sequence[str]) -> int:
    """Print the list, or one backbone's settings."""
    flags = parse(Backbones, words, name="backbones")
    if flags.name is not None:
        print(show_settings(backbone_settings(flags.name), prefix="--backbone."))
        return 0
    kinds = {**BACKBONES, **{f"{library}:MODEL": kind for library, kind in LIBRARIES.items()}}
    print(
        table(
            ["backbone", "what it is"], [[name, (kind.__doc__ or "").splitlines()[0]] for name, kind in kinds.items()]
        )
    )
    print("\nsettings of one: drumlin backbones NAME")
    return 0
