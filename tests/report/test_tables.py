import dataclasses
import re

import pytest

from drumlin.report import tables


def _cells(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [
        [re.sub(r"<small>.*?</small>|<[^>]*>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in rows
    ]


def test_copied_numbers_have_all_their_digits() -> None:
    html = tables.table(["a", "b"], [["x", tables.Cell("33%", "0.3333333333333333")]], caption="c", numbers=1)
    assert 'data-v="0.3333333333333333">33%</td>' in html
    assert 'aria-label="Copy table: c"' in html


def test_runs_stand_side_by_side(run_writer) -> None:
    first, second = run_writer("one").contents(), run_writer("two").contents(frozenset({"evaluated"}))
    cells = _cells(tables.comparison([first, second]))
    assert cells[0] == ["", "one", "two"]
    assert cells[1] == ["Errors on test images", "10%", "10%"]
    assert [row[0] for row in cells[2:]] == [
        "Refused of test images",
        "Caught of folder:a/b",
        "Caught of noise",
        "Caught of images attacked by fgsm(epsilon=0.1)",
    ]
    assert all(row[2] == "–" for row in cells[2:])


def test_nothing_measured_makes_no_table(run_writer) -> None:
    assert tables.comparison([run_writer().contents(frozenset())]) == ""


def test_every_record_is_there_with_its_own_value_a_run(run_writer) -> None:
    writers = [run_writer("one"), run_writer("two")]
    writers[0].record("detection", "auroc", 0.123456789, detector="msp", anomaly="noise", protocol="p")
    writers[1].record("robustness", "distortion", None, unit="RMS")
    runs = [writer.contents() for writer in writers]
    html = tables.records(runs)
    rows = {tuple(row[:2]): row for row in _cells(html)}
    assert rows["task", "metric"][8:] == ["n", "expected", "source"]  # of images, but also of pairs or classes
    assert rows["detection", "auroc"][2:8] == ["msp", "noise", "p", "fraction", "0.1235", "–"]
    assert 'data-v="0.123456789"' in html
    assert rows["robustness", "distortion"][6:8] == ["–", "–"]
    assert rows["geometry", "mean-distance"][6:11] == ["3", "3", "40", "2.7", "T eq. 16"]


def test_settings_that_differ_come_first(contents) -> None:
    other = dataclasses.replace(contents, name="other", settings={**contents.settings, "seed": 7})
    rows = _cells(tables.settings([contents, other]))
    assert rows[1] == ["seed", "0", "7"]
    assert ["head.name", "gm", "gm"] in rows
    assert ["data.image_size", "–", "–"] in rows


def test_environment_shows_the_command_as_it_was_typed(contents) -> None:
    assert ["command", "drumlin train"] in _cells(tables.environment([contents]))


@pytest.mark.parametrize("function", [tables.settings, tables.environment])
def test_a_run_without_them_makes_an_empty_table(function, contents) -> None:
    assert len(_cells(function([dataclasses.replace(contents, settings={}, environment={})]))) == 1
