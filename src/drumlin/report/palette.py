"""One restrained palette, safe for colour-blind readers (Okabe & Ito 2008; classes: Petroff 2021), light and dark.

Marks and dashes say again what colours say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from drumlin.report.contents import Kind, RunContents


class Shade(NamedTuple):
    """A colour in light and in dark mode."""

    light: str
    dark: str


COLOURS: dict[str, Shade] = {
    "paper": Shade("#ffffff", "#14171c"),
    "panel": Shade("#f6f7f8", "#1c2027"),
    "ink": Shade("#1b1f24", "#e6e9ed"),
    "muted": Shade("#59636e", "#9aa4b0"),
    "rule": Shade("#dde1e6", "#323841"),
    "accent": Shade("#0062a0", "#6cb6f0"),
    "training": Shade("#949da8", "#6a7480"),
    "test": Shade("#0072b2", "#56a8e8"),
    "set-1": Shade("#d55e00", "#ff8a4d"),
    "set-2": Shade("#b98600", "#eebc45"),
    "set-3": Shade("#00875f", "#3ec79b"),
    "set-4": Shade("#b0508a", "#e495c3"),
    "set-5": Shade("#5b4bb5", "#a99df2"),
    "low": Shade("#d55e00", "#ff8a4d"),
    "high": Shade("#0072b2", "#56a8e8"),
}
"""Name → colour; the page has them as CSS variables, `--NAME`."""

CLASSES = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Ten classes can be told apart by colour; more cannot."""

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_OPEN_MARKS = ("triangle", "square", "diamond", "down", "star")


@dataclass(frozen=True)
class Style:
    """How a set is drawn: the name of its colour, its line and its mark."""

    colour: str
    dash: str
    mark: str


class Token(dict[str, str]):
    """A colour of the page in a plotly figure: it is put in when the figure is drawn, light or dark."""

    def __init__(self, name: str) -> None:
        super().__init__({"$": name})


def light(name: str) -> str:
    """Return a colour for figures on white paper.

    >>> light("test")
    '#0072b2'
    """
    return COLOURS[name].light


def set_styles(runs: Iterable[RunContents]) -> dict[str, Style]:
    """Return how every set of the runs is drawn: one of the same name alike in all of them."""
    kinds: dict[str, Kind] = {}
    for run in runs:
        for points in run.map.sets if run.map else ():
            kinds.setdefault(points.name, points.kind)
        for name in run.anomalies:
            kinds.setdefault(name, run.kind(name))
    styles = {"training": Style("training", "solid", "dot"), "test": Style("test", "solid", "circle")}
    others = sorted((name for name in kinds if name not in styles), key=lambda name: kinds[name])
    for i, name in enumerate(others):
        mark = "cross" if kinds[name] is Kind.ATTACKED else _OPEN_MARKS[i % len(_OPEN_MARKS)]
        dash = _DASHES[(i // 5 + 1) % len(_DASHES)] if i >= 5 or kinds[name] is Kind.ATTACKED else "solid"
        styles[name] = Style(f"set-{i % 5 + 1}", dash, mark)
    return styles


def css() -> str:
    """Return the palette as CSS variables of light and dark mode."""

    def block(shade: int) -> str:
        return "".join(f"--{name}:{colours[shade]};" for name, colours in COLOURS.items())

    dark = f"color-scheme:dark;{block(1)}"
    return (
        f":root{{color-scheme:light;{block(0)}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}"
        f":root[data-theme=dark]{{{dark}}}"
    )
