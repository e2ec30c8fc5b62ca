"""A page in Markdown of a recipe's figures, which says what is seen on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from drumlin import _io
from drumlin.recipes.experiment import Ledger
from drumlin.report.files import Drawable, write_figure


class Captioned(Drawable, Protocol):
    """A figure that says what is on it."""

    @property
    def alt(self) -> str:
        """What it shows, in words."""
        ...

    @property
    def caption(self) -> str:
        """What is to be seen."""
        ...


def write_figures_page(
    title: str, preface: str, drawn: Sequence[Captioned], ledger: Ledger, folder: Path
) -> list[Path]:
    """Write the figures into a folder, each as PNG and SVG, and `RECIPE.md` beside them; return the files.

    Raises:
        ValueError: the folder cannot be written.
    """
    experiment = ledger.experiment
    written = [path for figure in drawn for path in write_figure(figure, folder)]
    made = f"Made by `drumlin reproduce {experiment.name} --scale {experiment.scale}`."
    parts = [f"# {title}", f"{made} {preface}"]
    for figure in drawn:
        parts += [f"## {figure.name}", f"![{figure.alt}]({figure.name}.png)", figure.caption]
    text = folder / f"{experiment.name}.md"
    _io.write_bytes(text, ("\n\n".join(parts) + "\n").encode())
    return [*written, text]
