"""What a table is made of."""

from __future__ import annotations

from dataclasses import dataclass

from drumlin.report.measured.choices import Choice

BY_ANOMALY = ("anomaly",)
"""A column an attack, or a set of images."""


@dataclass(frozen=True)
class Table:
    """A table: whose records, what to say above it, and how it is made of them.

    Attributes:
        recipe: of the records; of several that are named `recipe/NAME`, all.
        caption: what it shows.
        choose: those that it is made of.
        rows: fields that tell its lines apart.
        columns: fields that tell its columns apart.
        digits: after the decimal point.
        cpu: what its records are of at CPU scale: network, epochs, images.
        published: whose values stand beside; nothing where none do.
    """

    recipe: str
    caption: str
    choose: Choice
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    digits: int = 2
    published: str = ""
    cpu: str = ""
