from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from drumlin.report.measured import TABLES as CATALOGUE
from drumlin.results import Record, append

ROOT = Path(__file__).parents[2]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme_tables", ROOT / "benchmarks" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


PAGES = _generator()
MARKED = "before\n<!-- table: mnist-classification -->\n{}<!-- end -->\nafter\n"


def _record(**fields: Any) -> Record:
    defaults: dict[str, Any] = {
        "run": f"{fields.get('head')}-{fields.get('seed')}", "recipe": "mnist", "task": "classification", "data": "mnist",
        "split": "test", "head": "gm", "metric": "error", "unit": "fraction", "seed": 0,
        "environment": {"processor": "P", "torch": "9"},
    }  # fmt: skip
    return Record(**(defaults | fields))


def _write(folder: Path, *records: Record) -> Path:
    append(folder / "mnist.jsonl", records)
    return folder


def test_a_table_by_hand() -> None:
    records = (
        _record(seed=0, value=0.01, ci_low=0.001, ci_high=0.02),
        _record(seed=1, value=0.02),
        _record(task="training", metric="seconds", unit="s", split="train", seed=0, value=7.0),
        _record(head="softmax", seed=0, value=0.03),
    )
    assert PAGES.render(MARKED.format("stale\n"), records) == MARKED.format(
        "Classification of the MNIST test images, and time of training (mean ± standard deviation of 2 seeds; P; torch 9):\n\n"
        "| head | test error, % | training, s |\n"
        "| --- | --- | --- |\n"
        "| gm | 1.50 ± 0.71 | 7.00 |\n"
        "| softmax | 3.00 | – |\n"
    )


def test_markers_stay_and_nothing_stands_between_them_without_records() -> None:
    assert PAGES.render(MARKED.format("old\n"), []) == MARKED.format("")
    assert PAGES.render(MARKED.format("old\n"), [_record(task="other", value=1.0)]) == MARKED.format("")


def test_rendering_twice_changes_nothing() -> None:
    records = [_record(value=0.01)]
    once = PAGES.render(MARKED.format(""), records)
    assert PAGES.render(once, records) == once != MARKED.format("")


def test_an_unknown_table_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown table 'mnist-geometri': did you mean 'mnist-geometry'"):
        PAGES.render("<!-- table: mnist-geometri -->\n<!-- end -->\n", [])


@pytest.mark.parametrize(
    "text",
    [
        "<!-- table: benchmarks -->\n",
        "text\n<!-- end -->\n",
        "<!-- table: benchmarks -->\n<!-- table: mnist-geometry -->\n<!-- end -->\n",
    ],
)
def test_a_marker_without_its_partner_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has no partner"):
        PAGES.render(text, [])


def test_check_tells_and_leaves_the_file_and_without_it_the_file_is_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(MARKED.format(""))
    words = ["--pages", str(readme), "--results", str(_write(tmp_path, _record(value=0.01)))]
    assert PAGES.main([*words, "--check"]) == 1
    assert "+| gm | 1.00 |" in (said := capsys.readouterr()).out
    assert "stale" in said.err
    assert readme.read_text() == MARKED.format("")
    assert PAGES.main(words) == 0
    assert "| gm | 1.00 |" in readme.read_text()
    assert PAGES.main([*words, "--check"]) == 0


def test_the_pages_have_every_table_once_and_are_not_stale() -> None:
    pages = [(ROOT / "README.md"), *(ROOT / "docs").rglob("*.md")]
    named = [n for page in pages for n in re.findall(r"^<!-- table: (\S+) -->$", page.read_text(), re.MULTILINE)]
    assert sorted(named) == sorted(CATALOGUE)
    assert PAGES.main(["--check"]) == 0
