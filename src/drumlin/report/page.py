"""The page as one file that needs nothing beside itself."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence

from drumlin.report import palette
from drumlin.report.contents import RunContents
from drumlin.report.document import asset, document
from drumlin.report.html import Html, el, join, script_json
from drumlin.report.map_data import map_data
from drumlin.report.sections import SECTIONS, Page, everything, introduction, section

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


def render(runs: Sequence[RunContents]) -> str:
    """Return the page of one run, or of several side by side.

    It needs nothing beside itself, is at most 12 MB large, and can be read before its pictures are there.
    """
    page = Page(runs, palette.set_styles(runs))
    sections = (section(page, name) for name in SECTIONS)
    main = el("main", introduction(page), *sections, everything(page), id="main")
    figures = script_json("figures", page.figures)
    behaviour = el("script", Html("\n".join(map(asset, ("page.js", "canvas.js", "map.js")))))
    plotly = el("script", Html(_plotly()))
    # maps are drawn by the first script, before plotly has been read
    without = [_document(runs, main, join()), figures, behaviour, plotly]
    maps = map_data(page.maps, LIMIT - sum(len(part.encode()) for part in without) - 1000)
    scripts = join(figures, maps, behaviour, plotly, el("script", Html("drumlin.drawFigures();")))
    return _document(runs, main, scripts)


def _document(runs: Sequence[RunContents], main: Html, scripts: Html) -> str:
    title = " · ".join(run.name for run in runs)
    missing = "Maps and plots need JavaScript; text, tables and the gallery do not."
    return document(title, _LINKS, main, scripts, missing=missing, several=len(runs) > 1)


def _plotly() -> str:
    """Return plotly.js as it is installed."""
    path = importlib.resources.files("plotly") / "package_data" / "plotly.min.js"
    # a script element ends at the first such tag, wherever it stands
    return path.read_text(encoding="utf-8").replace("</script", "<\\/script")
