import dataclasses
from pathlib import Path

import pytest

from drumlin.report.measured import holds_records, read_folder
from drumlin.report.measured.reading import current
from drumlin.results import append, repetitions


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


def test_recipes_that_share_a_file_and_a_model_keep_their_own(record, tmp_path: Path) -> None:
    append(tmp_path / "a.jsonl", [record(recipe="one", run="r"), record(recipe="two", run="r", value=0.5)])
    assert {r.recipe: r.value for r in read_folder(tmp_path)} == {"one": 0.01, "two": 0.5}


def test_what_was_measured_with_settings_that_a_row_no_longer_has_is_left_out(record) -> None:
    row = {"recipe": "r", "protocol": "gm, 2-D"}
    before = [record(run=f"old {i}", asked=f"old {i}", settings="old", seed=i, value=0.5, **row) for i in range(3)]
    tuned = record(run="t", asked="t", settings="other", task="tuning", **(row | {"protocol": "gm, 2-D; lr=0.1"}))
    after = record(run="new 0", asked="new 0", settings="new", seed=0, value=0.25, **row)
    other = record(run="o", asked="o", settings="old", **(row | {"protocol": "softmax, 2-D"}))
    assert current([*before, tuned, other, after]) == [tuned, other, after]
    # without the hash of the settings the seeds tell what was done again
    nameless = [dataclasses.replace(each, settings=None) for each in (*before, after)]
    assert [r.run for r in current(nameless)] == ["old 1", "old 2", "new 0"]
    # a second network that a row is measured with belongs to the same settings
    partner = dataclasses.replace(after, run="partner", anomaly="transfer")
    assert current([after, partner]) == [after, partner]


def test_runs_without_a_recipe_are_no_repetitions(record) -> None:
    records = [record(recipe=None, run="a", seed=0), record(recipe=None, run="b", seed=1, value=0.5)]
    assert [len(found.records) for found in repetitions(current(records))] == [1, 1]
