"""A settings dataclass as text: its flags and their defaults."""

from __future__ import annotations

import dataclasses
from typing import Any

from drumlin.cli._tables import table


def show_settings(settings: Any, *, prefix: str) -> str:
    """Return a settings object's docstring and a line for each field: flag and default.

    >>> @dataclasses.dataclass
    ... class Lamp:
    ...     "A light."
    ...     low_power: bool = True
    ...     colour: str = "white"
    >>> print(show_settings(Lamp(), prefix="--lamp."))
    A light.
    <BLANKLINE>
    flag              default
    --lamp.low-power  True
    --lamp.colour     white
    """
    rows = [[prefix + f.name.replace("_", "-"), getattr(settings, f.name)] for f in dataclasses.fields(settings)]
    about = (type(settings).__doc__ or "").splitlines()[0]
    return f"{about}\n\n{table(['flag', 'default'], rows)}"
