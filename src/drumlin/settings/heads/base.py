"""What every head's settings share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True, kw_only=True)
class HeadSettings:
    """A head's hyperparameters: each field is an argument of the head's constructor and a flag, `--head.FIELD`.

    A subclass sets `_name`, by which it is found, and what `drumlin heads` prints: `formula`, the loss of a sample in one line, and
    `source`, the paper with its equations.
    """

    _name: ClassVar[str] = ""
    formula: ClassVar[str] = ""
    source: ClassVar[str] = ""

    def resolved(self, steps: int) -> Self:
        """Return the settings for a training of `steps` steps, with nothing left open."""
        return self

    @property
    def name(self) -> str:
        """The name by which `head_settings` finds this head."""
        return self._name
