from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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


TABLES = _generator()
MARKED = "before\n<!-- table: mnist-classification -->\n{}<!-- end -->\nafter\n"


def _record(**fields: Any) -> Record:
    defaults: dict[str, Any] = {
        "run": f"{fields.get('head')}-{fields.get('seed')}", "task": "classification", "data": "mnist", "split": "test",
        "head": "gm", "metric": "error", "unit": "fraction", "seed": 0, "environment": {"processor": "P", "torch": "9"},
    }  # fmt: skip
    return Record(**(defaults | fields))


def _write(folder: Path, *records: Record) -> Path:
    append(folder / "mnist.jsonl", records)
    return folder


def test_a_table_by_hand(tmp_path: Path) -> None:
    results = _write(
        tmp_path,
        _record(seed=0, value=0.01, ci_low=0.001, ci_high=0.02),
        _record(seed=1, value=0.02),
        _record(task="training", metric="seconds", unit="s", split="train", seed=0, value=7.0),
        _record(head="softmax", seed=0, value=0.03),
    )
    assert TABLES.render(MARKED.format("stale\n"), results) == MARKED.format(
        "Classification of the MNIST test images, and time of training (mean ± standard deviation of 2 seeds; P; torch 9):\n\n"
        "| head | test error, % | training, s |\n"
        "| --- | --- | --- |\n"
        "| gm | 1.50 ± 0.71 | 7.00 |\n"
        "| softmax | 3.00 | – |\n"
    )


def test_models_of_one_seed_each_are_no_repetitions(tmp_path: Path) -> None:
    results = _write(tmp_path, _record(seed=0, value=0.01), _record(head="softmax", seed=1000, value=0.03))
    assert TABLES.make("mnist-classification", results).startswith(
        "Classification of the MNIST test images, and time of training (P; torch 9):"
    )


def test_a_run_measured_again_counts_once_with_its_latest_value(tmp_path: Path) -> None:
    results = _write(tmp_path, _record(value=0.5), _record(value=0.25))
    assert "| gm | 25.00 |" in TABLES.make("mnist-classification", results)


def test_percent_scales_value_interval_and_published_alike_and_nothing_else() -> None:
    record = TABLES.percent(_record(value=0.1, ci_low=0.05, ci_high=0.2, published=0.3))
    assert (record.value, record.ci_low, record.ci_high, record.published, record.unit) == (10, 5, 20, 30, "%")
    seconds = _record(value=0.1, unit="s")
    assert TABLES.percent(seconds) is seconds
    assert TABLES.percent(_record(value=None)).value is None


def test_detection_and_refusal_have_a_column_an_anomaly(tmp_path: Path) -> None:
    facts: dict[str, Any] = {"detector": "msp", "value": 0.5}
    results = _write(
        tmp_path,
        _record(task="detection", metric="auroc", anomaly="noise", protocol="p", **facts),
        _record(task="detection", metric="fpr95", anomaly="noise", protocol="p", **facts),
        _record(task="refusal", metric="refused", anomaly="test", protocol="q", published=0.01, **facts),
        _record(task="refusal", metric="refused", anomaly="noise", protocol="q", **facts),
    )
    assert "| head | detector | noise |\n| --- | --- | --- |\n| gm | msp | 50.00 |\n" in TABLES.make(
        "mnist-detection", results
    )
    assert "| head | detector | test (false alarms) | noise |" in TABLES.make("mnist-refusal", results)


def test_geometry_shows_the_optimum_beside_the_measured_distance(tmp_path: Path) -> None:
    results = _write(
        tmp_path, _record(task="geometry", metric="mean-distance", unit="units", value=2.7, published=2.725279)
    )
    assert "| gm | 2.70 (2.73) |" in TABLES.make("mnist-geometry", results)


def test_markers_stay_and_nothing_stands_between_them_without_records(tmp_path: Path) -> None:
    assert TABLES.render(MARKED.format("old\n"), tmp_path) == MARKED.format("")
    _write(tmp_path, _record(task="other", value=1.0))
    assert TABLES.render(MARKED.format("old\n"), tmp_path) == MARKED.format("")


def test_rendering_twice_changes_nothing(tmp_path: Path) -> None:
    results = _write(tmp_path, _record(value=0.01))
    once = TABLES.render(MARKED.format(""), results)
    assert TABLES.render(once, results) == once != MARKED.format("")


def test_an_unknown_table_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown table 'mnist-geometri': did you mean 'mnist-geometry'"):
        TABLES.render("<!-- table: mnist-geometri -->\n<!-- end -->\n", tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- table: benchmarks -->\n",
        "text\n<!-- end -->\n",
        "<!-- table: benchmarks -->\n<!-- table: mnist-geometry -->\n<!-- end -->\n",
    ],
)
def test_a_marker_without_its_partner_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no partner"):
        TABLES.render(text, tmp_path)


def test_check_tells_and_leaves_the_file_and_without_it_the_file_is_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(MARKED.format(""))
    words = ["--pages", str(readme), "--results", str(_write(tmp_path, _record(value=0.01)))]
    assert TABLES.main([*words, "--check"]) == 1
    assert "+| gm | 1.00 |" in (said := capsys.readouterr()).out
    assert "stale" in said.err
    assert readme.read_text() == MARKED.format("")
    assert TABLES.main(words) == 0
    assert "| gm | 1.00 |" in readme.read_text()
    assert TABLES.main([*words, "--check"]) == 0


def test_the_pages_have_every_table_once_and_are_not_stale() -> None:
    pages = [(ROOT / "README.md"), *(ROOT / "docs").glob("*.md")]
    named = [n for page in pages for n in re.findall(r"^<!-- table: (\S+) -->$", page.read_text(), re.MULTILINE)]
    assert sorted(named) == sorted(TABLES.TABLES)
    assert TABLES.main(["--check"]) == 0
