from pathlib import Path

import pytest

from drumlin.report.measured import write_measurements
from drumlin.results import append


def test_the_page_lies_among_the_records_and_is_replaced(record, tmp_path: Path) -> None:
    append(tmp_path / "a.jsonl", [record()])
    assert write_measurements(tmp_path) == tmp_path / "report.html"
    first = (tmp_path / "report.html").read_bytes()
    assert write_measurements(tmp_path / "a.jsonl") == tmp_path / "a.html"
    assert b"<title>Measured: a.jsonl" in (tmp_path / "a.html").read_bytes()
    assert write_measurements(tmp_path) == tmp_path / "report.html"
    assert (tmp_path / "report.html").read_bytes() == first


def test_the_page_of_a_runs_records_leaves_the_runs_own_page_alone(record, tmp_path: Path) -> None:
    append(tmp_path / "results.jsonl", [record()])
    (tmp_path / "config.json").write_text("{}")
    assert write_measurements(tmp_path / "results.jsonl") == tmp_path / "results.html"


def test_another_file_is_not_written_over(record, tmp_path: Path) -> None:
    append(tmp_path / "a.jsonl", [record()])
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(ValueError, match="exists and is not a report of drumlin"):
        write_measurements(tmp_path)
    assert (tmp_path / "report.html").read_text() == "mine"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    with pytest.raises(
        ValueError, match=r"has no records yet: `drumlin reproduce NAME --results .*a\.jsonl` makes some"
    ):
        write_measurements(tmp_path / "a.jsonl")
    with pytest.raises(ValueError, match=r"--results .*NAME\.jsonl"):
        write_measurements(tmp_path)
