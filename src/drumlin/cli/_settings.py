"""A settings dataclass as text: its flags and their defaults."""

from __future__ import annotations

import dataclasses
from typing import Any

from drumlin.cli._tables import table


def show_settings(settings: Any, *, prefix: str) -> str:
    """Return a settings object's docstring and a line for each field: flag and default.

    >>> from drumlin.settings.heads import head_settings
    >>> print(show_settings(head_settings("softmax"), prefix="--head."))
    A linear layer under softmax cross entropy (L eq. 1-2).
    <BLANKLINE>
    flag                    default
    --head.bias             True
    --head.label-smoothing  0.0
    """
    rows = [[prefix + f.name.replace("_", "-"), getattr(settings, f.name)] for f in dataclasses.fields(settings)]
    about = (type(settings).__doc__ or "").splitlines()[0]
    return f"{about}\n\n{table(['flag', 'default'], rows)}"
