from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import drumlin.report
from drumlin.results import Record, append


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Path], Path | None, Path | None]]:
    """Keep what the page was asked for, in place of making it."""
    calls: list[tuple[list[Path], Path | None, Path | None]] = []

    def write(runs: Sequence[Path], out: Path | None = None, *, figures: Path | None = None) -> Path:
        calls.append((list(runs), out, figures))
        return out or runs[0] / "report.html"

    monkeypatch.setattr(drumlin.report, "write_report", write)
    return calls


def test_runs_page_and_figures(drumlin: Callable[..., Any], asked: list[Any], tmp_path: Path) -> None:
    outcome = drumlin("report", "a", "b", "--out", tmp_path / "page.html", "--figures", tmp_path / "figures")
    assert outcome.code == 0
    assert asked == [([Path("a"), Path("b")], tmp_path / "page.html", tmp_path / "figures")]
    assert outcome.out == f"page: {tmp_path / 'page.html'}\nfigures: {tmp_path / 'figures'}\n"


def test_by_default_the_page_is_in_the_run(drumlin: Callable[..., Any], asked: list[Any]) -> None:
    assert drumlin("report", "a").out == "page: a/report.html\n"
    assert asked == [([Path("a")], None, None)]


def test_no_run(refused: Callable[..., str], asked: list[Any]) -> None:
    assert refused("report").startswith("no run: name the folders")
    assert "did you mean '--figures'" in refused("report", "a", "--figure", "b")
    assert asked == []


@pytest.mark.slow
def test_the_page_of_a_run(
    drumlin: Callable[..., Any], refused: Callable[..., str], copied: Callable[[str], Path], tmp_path: Path
) -> None:
    run = copied("gm")
    assert drumlin("evaluate", run).code == 0
    outcome = drumlin("report", run)
    assert outcome.code == 0, outcome.err
    assert "<html" in (run / "report.html").read_text()[:1000]
    (tmp_path / "other").mkdir()
    assert str(tmp_path / "other") in refused("report", tmp_path / "other")


def test_a_folder_of_records(drumlin: Callable[..., Any], refused: Callable[..., str], tmp_path: Path) -> None:
    records = tmp_path / "results"
    facts: dict[str, Any] = {
        "task": "classification",
        "data": "mnist",
        "split": "test",
        "metric": "error",
        "unit": "fraction",
    }
    append(records / "mnist.jsonl", [Record(run="r", recipe="mnist", head="gm", value=0.0125, **facts)])
    assert drumlin("report", records).out == f"page: {records / 'report.html'}\n"
    assert "1.25" in (records / "report.html").read_text()
    assert drumlin("report", records / "mnist.jsonl", "--out", tmp_path / "page.html").code == 0
    assert "has records, and they have a page of their own: name it alone" in refused("report", records, records)
    assert "a page of records has no figures" in refused("report", records, "--figures", tmp_path / "figures")
    assert "there is no" in refused("report", tmp_path / "missing.jsonl")


def test_records_of_a_recipe_come_in_the_order_of_its_rows(drumlin: Callable[..., Any], tmp_path: Path) -> None:
    facts: dict[str, Any] = {
        "recipe": "mnist-isomax",
        "task": "classification",
        "data": "mnist",
        "split": "test",
        "metric": "error",
        "unit": "fraction",
    }
    rows = ("softmax", "center", "isotropic")
    backwards = [Record(run=row, head=row, protocol=f"{row}, 2-D; lr=0.1", value=0.01, **facts) for row in rows[::-1]]
    append(tmp_path / "mnist-isomax.jsonl", backwards)
    assert drumlin("report", tmp_path).code == 0
    page = (tmp_path / "report.html").read_text()
    assert sorted(rows, key=lambda row: page.index(f">{row}<")) == [*rows]
