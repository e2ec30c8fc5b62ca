"""The page as one file that needs nothing beside itself."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence

from drumlin.report import palette
from drumlin.report.contents import RunContents
from drumlin.report.html import Html, el, join, script_json
from drumlin.report.map_data import map_data
from drumlin.report.sections import SECTIONS, Page, everything, introduction, section

GENERATOR = "drumlin report"
"""In the page's head: by this a file is known as one of ours."""

LIMIT = 12_000_000
"""No page is larger, in bytes."""

_LINKS = {
    "map": "Map",
    "refusal": "Refusal",
    "gallery": "Gallery",
    "classes": "Classes",
    "training": "Training",
    "everything": "All numbers",
}

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M1 13C4 13 5 4 8 4s4 9 7 9z' fill='%230072b2'/%3E%3C/svg%3E"
)


def render(runs: Sequence[RunContents]) -> str:
    """Return the page of one run, or of several side by side.

    It needs nothing beside itself, is at most 12 MB large, and can be read before its pictures are there.
    """
    page = Page(runs, palette.set_styles(runs))
    sections = (section(page, name) for name in SECTIONS)
    main = el("main", introduction(page), *sections, everything(page), id="main")
    figures = script_json("figures", page.figures)
    behaviour = el("script", Html("\n".join(map(_asset, ("page.js", "canvas.js", "map.js")))))
    plotly = el("script", Html(_plotly()))
    # maps are drawn by the first script, before plotly has been read
    without = [_document(runs, main, join()), figures, behaviour, plotly]
    maps = map_data(page.maps, LIMIT - sum(len(part.encode()) for part in without) - 1000)
    scripts = join(figures, maps, behaviour, plotly, el("script", Html("drumlin.drawFigures();")))
    return _document(runs, main, scripts)


def _document(runs: Sequence[RunContents], main: Html, scripts: Html) -> str:
    title = " · ".join(run.name for run in runs)
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="generator", content=GENERATOR),
        el("title", f"{title} · drumlin"),
        el("link", rel="icon", href=_ICON),
        el("style", Html(palette.css() + _asset("page.css"))),
    )
    nav = el("nav", (el("a", text, href=f"#{place}") for place, text in _LINKS.items()), aria_label="Sections")
    toggle = el("button", "Dark", type="button", id="theme", aria_label="Switch between light and dark")
    header = el("header", el("div", el("span", "drumlin", class_="brand"), nav, toggle, class_="bar"))
    body = el(
        "body",
        el("a", "Skip to the text", href="#main", class_="skip"),
        header,
        main,
        el("noscript", el("p", "Maps and plots need JavaScript; text, tables and the gallery do not.")),
        scripts,
        class_="several" if len(runs) > 1 else None,
    )
    return f"<!doctype html>{el('html', head, body, lang='en')}\n"


def _asset(name: str) -> str:
    return (importlib.resources.files("drumlin.report") / "assets" / name).read_text(encoding="utf-8")


def _plotly() -> str:
    """Return plotly.js as it is installed."""
    path = importlib.resources.files("plotly") / "package_data" / "plotly.min.js"
    # a script element ends at the first such tag, wherever it stands
    return path.read_text(encoding="utf-8").replace("</script", "<\\/script")
