from pathlib import Path

import pytest

from drumlin.report.measured import holds_records, read_folder
from drumlin.results import append


def test_a_folder_is_all_its_files_and_of_each_the_latest(record, tmp_path: Path) -> None:
    append(tmp_path / "b.jsonl", [record(head="softmax")])
    append(tmp_path / "a.jsonl", [record(value=0.5), record(value=0.25)])
    (tmp_path / "notes.txt").write_text("no records")
    assert [(r.head, r.value) for r in read_folder(tmp_path)] == [("gm", 0.25), ("softmax", 0.01)]
    assert [r.head for r in read_folder(tmp_path / "b.jsonl")] == ["softmax"]


def test_what_holds_records(record, tmp_path: Path) -> None:
    assert not holds_records(tmp_path)
    assert not holds_records(tmp_path / "missing")
    assert holds_records(tmp_path / "missing.jsonl")
    append(tmp_path / "results.jsonl", [record()])
    assert holds_records(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert not holds_records(tmp_path)  # a run, which has records too


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no .*missing: name a folder of records"):
        read_folder(tmp_path / "missing")
    with pytest.raises(ValueError, match=r"has no records: files of them end in \.jsonl"):
        read_folder(tmp_path)


def test_a_damaged_line_is_named_and_a_torn_last_one_skipped(record, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    append(path, [record()])
    with path.open("ab") as file:
        file.write(b'{"schema": 1, "ru')
    with pytest.warns(UserWarning, match="torn last line"):
        assert len(read_folder(tmp_path)) == 1
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(ValueError, match=r"a\.jsonl:1: not JSON"), pytest.warns(UserWarning, match="torn"):
        read_folder(tmp_path)
