"""Records as a page: what stands beside a published value, the tables by recipe, and every number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from drumlin.report.document import asset, document
from drumlin.report.html import Html, el, join, script_json, with_code
from drumlin.report.measured.catalogue import TABLES, Table
from drumlin.report.measured.tables import caption, chosen, origin
from drumlin.report.tables import Cell, table
from drumlin.report.text import number
from drumlin.results import Record, Repetitions, grid, in_percent, repetitions
from drumlin.results.record import Scale

MOST = 12_000
"""No page lists more numbers one by one; tables and what was published are always whole."""

_TALL = 16
"""Tables with more lines scroll."""


@dataclass
class _Room:
    """How many more numbers are listed one by one, and of which recipes they are left out."""

    left: int
    without: list[str] = field(default_factory=list)


def render(records: Sequence[Record], name: str) -> str:
    """Return the page of records; `name` is where they come from.

    A table of the catalogue stands once a scale of which there are records.
    """
    found = repetitions(map(in_percent, records))
    recipes: dict[str, list[Repetitions]] = {}
    for each in found:
        recipes.setdefault(_recipe(each.first), []).append(each)
    newest = [record for each in repetitions(records) for record in each.records]
    room = _Room(MOST)
    places = {recipe: f"recipe-{i}" for i, recipe in enumerate(recipes)}
    sections = [_section(recipe, own, newest, room, places[recipe]) for recipe, own in recipes.items()]
    main = el("main", _introduction(name, found, recipes), _published(found), *sections, _omitted(room), id="main")
    links = {"published": "Beside what was published"} | {place: recipe for recipe, place in places.items()}
    scripts = join(script_json("figures", {}), el("script", Html(asset("page.js"))))
    missing = "Without JavaScript tables cannot be copied by their buttons."
    return document(f"Measured: {name}", links, main, scripts, missing=missing, several=True)


def _recipe(record: Record) -> str:
    return (record.recipe or "without a recipe").partition("/")[0]


def _introduction(name: str, found: Sequence[Repetitions], recipes: Mapping[str, object]) -> Html:
    known = sum(each.first.published is not None for each in found)
    lead = (
        f"{len(found):,} numbers of {len(recipes)} {'recipe' if len(recipes) == 1 else 'recipes'}, {known:,} of them beside a "
        "published value. Fractions are in percent. Of several seeds there are mean and standard deviation, of one the interval "
        "that the measurement itself has."
    )
    return el("section", el("h1", f"What was measured: {name}"), el("p", lead, class_="lead"), id="summary")


def _published(found: Iterable[Repetitions]) -> Html:
    known = [each for each in found if each.first.published is not None]
    body = (
        _listing(known, "Measured beside published", named=True) if known else el("p", "None has one.", class_="none")
    )
    text = "Networks, length of training and number of images are those of the scale, and rarely the published ones."
    return el("section", el("h2", "Beside what was published"), el("p", text, class_="caption"), body, id="published")


def _section(recipe: str, own: Sequence[Repetitions], records: Sequence[Record], room: _Room, place: str) -> Html:
    """Return a recipe's tables, one a scale, and its numbers one by one."""
    parts: list[Html] = []
    for name, each in TABLES.items():
        if each.recipe != recipe:
            continue
        scales = dict.fromkeys(record.scale for record in records if _recipe(record) == recipe)
        parts += [_table(name, [record for record in records if record.scale == scale], scale) for scale in scales]
    if len(own) <= room.left:
        room.left -= len(own)
        summary = el("summary", f"All {len(own):,} numbers of {recipe}, one by one")
        parts.append(el("details", summary, _listing(own, f"All numbers of {recipe}"), open=not parts))
    else:
        room.without.append(recipe)
    return el("section", el("h2", recipe), *parts, id=place)


def _omitted(room: _Room) -> Html:
    if not room.without:
        return join()
    text = (
        f"More than {MOST:,} numbers are not listed one by one: those of {', '.join(room.without)} are in their files."
    )
    return el("p", text, class_="note")


def _table(name: str, records: Iterable[Record], scale: Scale) -> Html:
    """Return a table of one scale's records; nothing where it has none."""
    try:
        found, own = chosen(name, records)
        cells = grid(own, rows=found.rows, columns=found.columns) if own else None
    except ValueError as error:
        text = f"{TABLES[name].caption}, at {scale} scale: no table can be made of these records: {error}"
        return el("p", with_code(text), class_="missing")
    if cells is None:
        return join()
    beside = f"; published: {found.published}" if found.published else ""
    title = f"{caption(found, own)}; at {scale} scale ({origin(found, own)}){beside}"
    rows: list[list[str | Cell]] = [[*names, *(_cell(each, found) for each in line)] for names, line in cells.lines]
    body = table(
        [*cells.rows, *cells.columns],
        rows,
        caption=title.replace("`", ""),
        numbers=len(cells.columns),
        tall=len(rows) > _TALL,
    )
    return join(el("p", with_code(title), class_="caption"), body)


def _cell(found: Repetitions | None, of: Table) -> Cell:
    """Return what a table has of a measurement: its mean, and in small its spread and what was published; copied whole."""
    if found is None:
        return Cell("–")

    def shown(value: float) -> str:
        return f"{value:.{of.digits}f}"

    small = [_spread(found, shown)]
    if of.published and found.first.published is not None:
        by = "" if found.difference is None else f", {found.difference:+.{of.digits}f}"
        small.append(f"published {shown(found.first.published)}{by}")
    return Cell("–" if found.mean is None else shown(found.mean), small="; ".join(filter(None, small)))


def _spread(found: Repetitions, shown: Callable[[float], str]) -> str:
    if found.spread is not None:
        return f"± {shown(found.spread)}, {len(found.records)} seeds"
    return "" if found.interval is None else f"{shown(found.interval[0])} to {shown(found.interval[1])}"


def _listing(found: Sequence[Repetitions], title: str, *, named: bool = False) -> Html:
    """Return measurements a line each, with all digits where they are copied."""
    headers = ["row or protocol", "recipe" if named else "data", "head", "metric", "detector", "attack or set"]
    headers += ["scale", "source"]
    numbers = ["measured", "± or interval", "published", "difference", "seeds", "n"]
    rows: list[list[str | Cell]] = []
    for each in found:
        first = each.first
        spread = Cell(_spread(each, number), None if each.spread is None else repr(each.spread))
        facts = [
            first.protocol or "",
            _recipe(first) if named else f"{first.data}, {first.split}",
            first.head or "",
            f"{first.task}: {first.metric}, {first.unit}",
            first.detector or "",
            first.anomaly or "",
            first.scale,
            first.published_source or "",
        ]
        values = [_exact(each.mean, missing="–"), spread, _exact(first.published), _exact(each.difference, signed=True)]
        rows.append([*facts, *values, str(len(each.records)), _sizes(each)])
    return table([*headers, *numbers], rows, caption=title, numbers=len(numbers), tall=len(rows) > _TALL)


def _exact(value: float | None, *, signed: bool = False, missing: str = "") -> Cell:
    if value is None:
        return Cell(missing, "")
    return Cell(("+" if signed and value > 0 else "") + number(value), repr(value))


def _sizes(found: Repetitions) -> str:
    sizes = sorted({record.n for record in found.records if record.n is not None})
    return "" if not sizes else f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
