"""HTML in which text cannot become markup: what is a plain string is escaped, what is `Html` was made here."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from drumlin.report.text import encodable

_VOID = frozenset({"img", "link", "meta"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def el(tag: str, *children: str | Iterable[str], **attributes: object) -> Html:
    """Return an element. Children and attributes are escaped unless they are `Html`; None and False leave an attribute out.

    A trailing underscore of an attribute's name is dropped, other underscores become hyphens.

    >>> el("p", "1 < 2", el("b", "!"), class_="a", data_x=1, hidden=True)
    '<p class="a" data-x="1" hidden>1 &lt; 2<b>!</b></p>'
    """
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    text = "".join(
        f" {name}" if value is True else f' {name}="{html.escape(encodable(str(value)))}"'
        for name, value in names.items()
        if value is not None and value is not False
    )
    return Html(f"<{tag}{text}>" if tag in _VOID else f"<{tag}{text}>{join(*children)}</{tag}>")


def join(*children: str | Iterable[str]) -> Html:
    """Return children one after the other, escaped unless they are `Html`."""
    return Html(
        "".join(
            child
            if isinstance(child, Html)
            else html.escape(encodable(child), quote=False)
            if isinstance(child, str)
            else join(*child)
            for child in children
        )
    )


def with_code(text: str) -> Html:
    """Return text with what stands between backticks as code.

    >>> with_code("run `a < b`")
    'run <code>a &lt; b</code>'
    """
    parts = re.split(r"`([^`]*)`", text)
    return join(*(el("code", part) if i % 2 else part for i, part in enumerate(parts)))


def script_json(name: str, value: Any) -> Html:
    """Return a script element that holds JSON and never ends early, whatever strings are in it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return el("script", Html(encodable(text.replace("<", "\\u003c"))), type="application/json", id=name)


def packed(values: npt.ArrayLike, kind: str) -> str:
    """Return an array as base64 of little-endian numbers, for a typed array of the page.

    >>> packed([1, 2], "u1")
    'AQI='
    """
    return base64.b64encode(np.ascontiguousarray(values, dtype=f"<{kind}").tobytes()).decode()
