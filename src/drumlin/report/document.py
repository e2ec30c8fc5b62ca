"""The frame of a page that needs nothing beside itself: its head, its bar of links, its styles."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping

from drumlin.report import palette
from drumlin.report.html import Html, el

GENERATOR = "drumlin report"
"""In the page's head: by this a file is known as one of ours."""

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath d='M1 13C4 13 5 4 8 4s4 9 7 9z' fill='%230072b2'/%3E%3C/svg%3E"
)


def document(
    title: str, links: Mapping[str, str], main: Html, scripts: Html, *, missing: str, several: bool = False
) -> str:
    """Return a whole page.

    Args:
        title: of the page.
        links: the id of a section → what its link says.
        main: the `main` element.
        scripts: what runs at the end of the page; `page.js` among it, for the button in the bar.
        missing: what a reader without JavaScript lacks.
        several: whether columns stand side by side, and the page is wider for that.
    """
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="generator", content=GENERATOR),
        el("title", f"{title} · drumlin"),
        el("link", rel="icon", href=_ICON),
        el("style", Html(palette.css() + asset("page.css"))),
    )
    nav = el("nav", (el("a", text, href=f"#{place}") for place, text in links.items()), aria_label="Sections")
    toggle = el("button", "Dark", type="button", id="theme", aria_label="Switch between light and dark")
    header = el("header", el("div", el("span", "drumlin", class_="brand"), nav, toggle, class_="bar"))
    body = el(
        "body",
        el("a", "Skip to the text", href="#main", class_="skip"),
        header,
        main,
        el("noscript", el("p", missing)),
        scripts,
        class_="several" if several else None,
    )
    return f"<!doctype html>{el('html', head, body, lang='en')}\n"


def asset(name: str) -> str:
    """Return the text of a file beside the page's code."""
    return (importlib.resources.files("drumlin.report") / "assets" / name).read_text(encoding="utf-8")
