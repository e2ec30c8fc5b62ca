"""The sections of the page, one column a run. What has not been measured is said, with the command that does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drumlin.report import gallery, tables
from drumlin.report.contents import RunContents
from drumlin.report.figures.base import Figure
from drumlin.report.figures.confusion import Confusion
from drumlin.report.figures.distances import Distances
from drumlin.report.figures.feature_map import MapFigure
from drumlin.report.figures.histogram import ScoreHistogram
from drumlin.report.figures.roc import RocCurves
from drumlin.report.figures.tradeoff import TradeOff
from drumlin.report.figures.training import CenterLossCurve, ErrorCurves, LossCurves
from drumlin.report.html import Html, el, join, with_code
from drumlin.report.palette import Style
from drumlin.report.reading import command
from drumlin.report.summary import main_detector
from drumlin.report.summary import summary as sentences
from drumlin.report.text import percent

POINTS = 40_000
"""No page has more points on its maps, over all runs."""


@dataclass
class Page:
    """The page as it grows: figures by their place, maps by run."""

    runs: Sequence[RunContents]
    styles: Mapping[str, Style]
    figures: dict[str, Any] = field(default_factory=dict)
    maps: list[MapFigure | None] = field(default_factory=list)

    def plot(self, place: str, figure: Figure) -> Html:
        """Return the place of a figure, which is drawn when it comes into view."""
        self.add(place, figure)
        plot = el(
            "div",
            class_="plot",
            data_figure=place,
            role="img",
            aria_label=figure.alt,
            style=f"height:{figure.pixels}px",
        )
        return el("figure", plot, el("div", class_="legend"), el("figcaption", figure.caption))

    def add(self, place: str, figure: Figure) -> None:
        """Keep a figure for a place."""
        self.figures[place] = figure.plotly() | {"caption": figure.caption, "alt": figure.alt, "height": figure.pixels}


def introduction(page: Page) -> Html:
    """Return the top: what each run is, its sentence, and the runs in numbers."""
    runs = page.runs
    title = runs[0].name if len(runs) == 1 else "Side by side: " + ", ".join(run.name for run in runs)
    about = [_about(run) for run in runs]
    texts = (
        el(
            "div",
            el("p", el("strong", run.name), f" · {of}", class_="about")
            if len(runs) > 1
            else el("p", of, class_="about"),
            el("p", with_code(" ".join(sentences(run))), class_="lead"),
        )
        for run, of in zip(runs, about, strict=True)
    )
    notes = [note for run in runs for note in run.notes]
    if len({run.data for run in runs}) > 1:
        notes.insert(0, "These runs are of different data: their numbers answer different questions.")
    return el(
        "section",
        el("h1", title),
        el("div", *texts, class_="columns"),
        *(el("p", note, class_="note") for note in notes),
        tables.comparison(runs),
        id="summary",
    )


def _about(run: RunContents) -> str:
    """Return what a run is of, in a line."""
    text = f"{run.head} head, {run.settings['backbone']['name']} network, trained on {run.data}"
    return text if run.calibration is None else f"{text}; refuses by {run.calibration.detector}"


def section(page: Page, name: str) -> Html:
    """Return the section of that name, with one column a run."""
    title, part = SECTIONS[name]
    columns = (
        el("div", el("h3", run.name) if len(page.runs) > 1 else "", part(page, run, f"r{i}"), class_="run")
        for i, run in enumerate(page.runs)
    )
    return el("section", el("h2", title), el("div", *columns, class_="columns"), id=name)


def _map(page: Page, run: RunContents, place: str) -> Html:
    figure = MapFigure.of(run, page.styles, most=POINTS // len(page.runs))
    page.maps.append(figure)
    if figure is None:
        return el("p", with_code(f"There is no map yet: run `{command('evaluate', run.folder)}`."), class_="missing")
    area = el("div", class_="map", data_map=len(page.maps) - 1, data_alt=figure.alt)
    return el("figure", area, el("figcaption", figure.caption, el("span", class_="sheets")))


def _refusal(page: Page, run: RunContents, place: str) -> Html:
    chosen = main_detector(run)
    if chosen is None:
        text = f"No scores yet: run `{command('detect', run.folder, '--ood', 'noise', 'inverted')}`."
        return el("p", with_code(text), class_="missing")
    kinds: tuple[type[ScoreHistogram] | type[RocCurves], ...] = (ScoreHistogram, RocCurves)
    shown: list[Html] = []
    drawn: dict[str, list[str]] = {kind.name: [] for kind in kinds}
    for kind in kinds:
        for detector in run.scores:
            figure = kind.of(run, detector, page.styles)
            if figure is None:
                continue
            drawn[kind.name].append(detector)
            if detector == chosen:
                shown.append(page.plot(f"{place}/{kind.name}/{detector}", figure))
            else:
                page.add(f"{place}/{kind.name}/{detector}", figure)
    if not shown:
        return el("p", f"No score of {chosen} is a number: there is nothing to draw.", class_="missing")
    calibrated = run.calibration.detector if run.calibration else None
    options = (
        el("option", name + (" (calibrated)" if name == calibrated else ""), value=name, selected=name == chosen)
        for name in run.scores
        if all(name in names for names in drawn.values() if chosen in names)
    )
    choice = el("label", "Score ", el("select", *options, data_run=place, class_="detector"), class_="choice")
    trade_off = TradeOff.of(run, page.styles)
    if trade_off is not None:
        last = page.plot(f"{place}/{trade_off.name}", trade_off)
    elif run.calibration is None:
        how = command("calibrate", run.folder, "--false-alarm", "0.01")
        text = f"Not calibrated: `{how}` sets a threshold at a rate of false alarms."
        last = el("p", with_code(text), class_="missing")
    else:
        last = join()
    titles = {
        ScoreHistogram.name: "Scores",
        RocCurves.name: "ROC curves",
    }
    heads = [el("h4", titles[kind.name]) for kind in kinds if chosen in drawn[kind.name]]
    wide = [kind is ScoreHistogram for kind in kinds if chosen in drawn[kind.name]]
    plots = [
        el("div", head, plot, class_="wide" if broad else None)
        for head, plot, broad in zip(heads, shown, wide, strict=True)
    ]
    return el(
        "div", choice, el("div", *plots, el("div", el("h4", "False alarms against catches"), last), class_="plots")
    )


def _gallery(page: Page, run: RunContents, place: str) -> Html:
    if run.map is None:
        return el("p", with_code(f"No images yet: run `{command('evaluate', run.folder)}`."), class_="missing")
    if main_detector(run) is None:
        text = f"No scores to choose images by: run `{command('detect', run.folder, '--ood', 'noise', 'inverted')}`."
        return el("p", with_code(text), class_="missing")
    return gallery.gallery(run)


def _classes(page: Page, run: RunContents, place: str) -> Html:
    if len(run.class_names) < 2:
        return el("p", "There is one class: nothing can be confused, and no means lie apart.", class_="missing")
    parts = []
    confusion, distances = Confusion.of(run), Distances.of(run)
    if confusion is None:
        text = f"What is taken for what has not been measured: run `{command('evaluate', run.folder)}`."
        parts.append(el("p", with_code(text), class_="missing"))
    else:
        pairs = confusion.pairs(20)
        rows: list[list[str | tables.Cell]] = [
            [
                pair.true,
                pair.predicted,
                tables.Cell(str(pair.count)),
                tables.Cell(percent(pair.share), repr(pair.share)),
            ]
            for pair in pairs
        ]
        most = (
            tables.table(
                ["class", "taken for", "images", "of the class"],
                rows,
                caption="Most frequent errors",
                numbers=2,
                tall=True,
            )
            if rows
            else el("p", "No test image is taken for another class.", class_="none")
        )
        matrix = page.plot(f"{place}/{confusion.name}", confusion)
        parts.append(el("div", el("h4", "Confusion"), matrix))
        parts.append(el("div", el("h4", "Most frequent errors"), most))
    if distances is None:
        text = f"Distances between class means have not been measured: run `{command('evaluate', run.folder)}`."
        parts.append(el("p", with_code(text), class_="missing"))
    else:
        plot = page.plot(f"{place}/{distances.name}", distances)
        parts.insert(1, el("div", el("h4", "Distances between class means"), plot))
    return el("div", *parts, class_="plots")


def _training(page: Page, run: RunContents, place: str) -> Html:
    found = [
        (LossCurves.of(run), "Loss by term"),
        (ErrorCurves.of(run), "Errors"),
        (CenterLossCurve.of(run), "Center loss"),
    ]
    plots = [
        el("div", el("h4", title), page.plot(f"{place}/{figure.name}", figure))
        for figure, title in found
        if figure is not None
    ]
    return el("div", *plots, class_="plots") if plots else el("p", "The run has no training log.", class_="missing")


def everything(page: Page) -> Html:
    """Return the end: every number, setting and version."""
    runs = page.runs
    return el(
        "section",
        el("h2", "All numbers"),
        el("h4", "Measurements"),
        tables.records(runs) if any(run.records for run in runs) else el("p", "None yet.", class_="none"),
        el("h4", "Settings"),
        tables.settings(runs),
        el("h4", "Environment"),
        tables.environment(runs),
        id="everything",
    )


SECTIONS: dict[str, tuple[str, Callable[[Page, RunContents, str], Html]]] = {
    "map": ("Where images lie", _map),
    "refusal": ("What it can tell apart", _refusal),
    "gallery": ("What to look at", _gallery),
    "classes": ("Classes", _classes),
    "training": ("Training", _training),
}
"""Name → title and what fills it for one run, in the order of the page."""
