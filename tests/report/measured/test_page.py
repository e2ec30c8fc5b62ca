import re
from html.parser import HTMLParser

import pytest

from drumlin.report.measured import page
from drumlin.report.measured.page import render


class _Tables(HTMLParser):
    """Tables by their captions, as rows of (text, what is copied)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._into: str | None = None
        self._caption = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        if tag in ("caption", "td", "th"):
            self._into = tag
        elif tag == "small" and self._into:
            self._rows[-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.tables[self._caption] = self._rows
        elif tag == self._into:
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into == "caption":
            self._caption += data
        elif self._into:
            self._rows[-1][-1] += data


def _three(record):
    heads = {
        "recipe": "mnist-heads",
        "protocol": "gm, 100-D",
        "published": 0.0039,
        "published_source": "T Table 1",
        "n": 10_000,
    }
    return [record(seed=i, value=0.004 + 0.001 * i, **heads) for i in range(3)]


def test_a_measurement_beside_its_published_value(record) -> None:
    tables = _Tables(render(_three(record), "here")).tables
    assert tables["Measured beside published"][0][-2:] == ["seeds", "n"]
    assert tables["Measured beside published"][1] == [
        "gm, 100-D", "mnist-heads", "gm", "classification: error, %", "", "", "cpu", "T Table 1",
        "0.5", "± 0.1, 3 seeds", "0.39", "+0.11", "3", "10000",
    ]  # fmt: skip


def test_a_table_of_the_catalogue_has_mean_spread_seeds_published_and_difference(record) -> None:
    tables = _Tables(render(_three(record), "here")).tables
    (title,) = (
        name for name in tables if name.startswith("MNIST: test error in percent; fast-28, three epochs; at cpu")
    )
    assert title.endswith("; published: what was published for L's network")
    assert tables[title] == [["head", "100-D"], ["gm", "0.50 ± 0.10, 3 seeds; published 0.39, +0.11"]]


def test_what_is_copied_has_all_digits(record) -> None:
    assert 'data-v="0.5"' in render([record(value=0.005)], "here")
    assert 'data-v=""' in render([record(value=None, published=0.5)], "here")


def test_a_recipe_without_tables_has_its_numbers_open(record) -> None:
    text = render([record(recipe="cifar100", protocol="gm, 100-D; k=5", metric="accuracy", value=0.75)], "here")
    assert re.search(r"<details open><summary>All 1 numbers of cifar100", text)
    (row,) = _Tables(text).tables["All numbers of cifar100"][1:]
    assert row[:6] == ["gm, 100-D; k=5", "mnist, test", "gm", "classification: accuracy, %", "", ""]
    assert row[8] == "75"


def test_scales_are_never_mixed(record) -> None:
    tables = _Tables(render([record(), record(scale="smoke", value=0.5)], "here")).tables
    found = {name: rows[1] for name, rows in tables.items() if name.startswith("Classification")}
    assert {name.partition("; at ")[2][:5]: row for name, row in found.items()} == {
        "cpu s": ["gm", "1.00"],
        "smoke": ["gm", "50.00"],
    }


def test_settings_that_changed_count_with_their_latest_run(record) -> None:
    tables = _Tables(render([record(run="before", value=0.5), record(run="after", value=0.25)], "here")).tables
    (found,) = (rows for name, rows in tables.items() if name.startswith("Classification"))
    assert found[1] == ["gm", "25.00"]


def test_records_of_which_no_table_can_be_made_say_why(record) -> None:
    text = render([record(backbone="a"), record(backbone="b", seed=1)], "here")
    assert "at cpu scale: no table can be made of these records: records of one cell differ in backbone (a, b)" in text


def test_beyond_the_most_numbers_are_counted_and_not_listed(record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST", 1)
    text = render([record(recipe="a"), record(recipe="b"), record(recipe="b", metric="nll")], "here")
    assert "All numbers of a" in text
    assert "All numbers of b" not in text
    assert "More than 1 numbers are not listed one by one: those of b are in their files." in text


def test_text_of_records_is_no_markup(record) -> None:
    evil = "<script>alert(1)</script>"
    text = render(
        [record(recipe=evil, protocol=f"{evil}; {evil}", detector=evil, published=0.5, published_source=evil)], evil
    )
    assert evil not in text
    assert "&lt;script&gt;alert(1)" in text
