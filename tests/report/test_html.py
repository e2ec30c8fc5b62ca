import base64
import html
import json
import re

import numpy as np

from drumlin.report.html import Html, el, join, packed, script_json

EVIL = "</script><script>alert(\"1\")</script> & 'x' <!-- "


def test_text_never_becomes_markup() -> None:
    made = el("p", EVIL, title=EVIL)
    assert re.fullmatch(r'<p title="[^"<>]*">[^<>]*</p>', made)
    assert html.unescape(made) == f'<p title="{EVIL}">{EVIL}</p>'
    assert join(EVIL).count("<") == 0


def test_markup_is_not_escaped_twice() -> None:
    assert el("p", el("b", "a & b"), [el("i"), "<"]) == "<p><b>a &amp; b</b><i></i>&lt;</p>"
    assert isinstance(join("a"), Html)


def test_void_elements_have_no_end() -> None:
    assert el("img", src="a", alt="") == '<img src="a" alt="">'


def test_json_in_a_script_ends_where_it_should_and_reads_back() -> None:
    value = {EVIL: [EVIL, 1.5, None]}
    made = script_json("x", value)
    assert made.count("<") == 2  # the element's own
    inner = re.fullmatch(r'<script type="application/json" id="x">(.*)</script>', made)
    assert inner is not None
    assert json.loads(inner[1]) == value


def test_packed_is_little_endian() -> None:
    text = packed(np.array([1.5, -2.0], dtype=">f8"), "f4")
    assert np.frombuffer(base64.b64decode(text), "<f4").tolist() == [1.5, -2.0]
