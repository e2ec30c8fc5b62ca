import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from drumlin._tensors import read_tensors
from drumlin.results import read
from drumlin.tasks import Subject, TaskResult, stored_records
from drumlin.training import Run

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]


def test_records_say_what_they_are_of(subject: Make) -> None:
    made = subject("gm")
    record = made.record("task", "metric", 0.5, split="test", unit="fraction", n=3)
    environment = json.loads((made.run.folder / "environment.json").read_text())
    assert record.run == made.run.identity
    assert record.commit == environment["commit"]
    assert (record.recipe, record.scale, record.seed) == ("test", "smoke", 0)
    assert (record.data, record.head, record.backbone) == ("digits:0-7", "gm", "digits-cnn")
    assert record.environment["torch"] == torch.__version__
    assert record.environment["precision"] == made.run.classifier.precision == "float32"  # as the fixture trains
    assert record.wall_seconds is not None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_what_is_no_number_is_recorded_as_none(subject: Make, value: float | None) -> None:
    assert subject("gm").record("task", "metric", value, split="test", unit="1").value is None


def test_runs_of_other_settings_have_other_identities(digits_runs: Callable[[str], Path]) -> None:
    assert Run(digits_runs("gm")).identity != Run(digits_runs("softmax")).identity


def test_a_stored_result_comes_back(subject: Make) -> None:
    made = subject("gm")
    folder = made.run.folder
    assert stored_records(made.run) == []
    first = made.record("task", "first", 0.5, split="test", unit="1")
    second = made.record("task", "second", None, split="test", unit="1", anomaly="noise")
    TaskResult([first], {"a/b": torch.arange(3), "c": torch.zeros(2, 2)}).store(folder, "task")
    TaskResult([second], {"c": torch.ones(1)}).store(folder, "task")
    assert stored_records(made.run) == [first, second] == read(folder / "results.jsonl")
    arrays, _ = read_tensors(folder / "arrays" / "task.safetensors")
    assert {name: value.tolist() for name, value in arrays.items()} == {"a/b": [0, 1, 2], "c": [1.0]}


def test_a_value_that_is_there_already_is_not_stored_again(subject: Make) -> None:
    made = subject("gm")
    for value in (0.5, 0.5, 0.25, 0.25, 0.5):
        TaskResult([made.record("task", "first", value, split="test", unit="1")]).store(made.run.folder, "task")
    assert [record.value for record in stored_records(made.run)] == [0.5, 0.25, 0.5]


def test_a_value_with_another_interval_or_n_is_stored_anew(subject: Make) -> None:
    """As after a version that computes them otherwise: what is printed and what is stored are one."""
    made = subject("gm")
    for value in (0.5, None):
        before = len(stored_records(made.run))
        for facts in (
            {},
            {"n": 3},
            {"n": 3},
            {"n": 3, "ci_low": 0.1, "ci_high": 0.9},
            {"n": 3, "ci_low": 0.1, "ci_high": 1.0},
        ):
            record = made.record("task", "first", value, split="test", unit="1", **facts)
            TaskResult([record]).store(made.run.folder, "task")
        assert len(stored_records(made.run)) == before + 4
        assert stored_records(made.run)[-1] == record


def test_without_arrays_no_file_is_written(subject: Make) -> None:
    made = subject("gm")
    TaskResult([made.record("task", "first", 0.5, split="test", unit="1")]).store(made.run.folder, "task")
    assert not (made.run.folder / "arrays").exists()


def test_damaged_arrays_are_replaced(subject: Make) -> None:
    made = subject("gm")
    path = made.run.folder / "arrays" / "task.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"torn")
    TaskResult([], {"a": torch.ones(1)}).store(made.run.folder, "task")
    assert read_tensors(path)[0]["a"].tolist() == [1]


def test_an_unfinished_run_is_no_subject(copied: Callable[[str], Path]) -> None:
    run = copied("gm")
    (run / "model.json").unlink()
    (run / "environment.json").unlink()
    with pytest.raises(ValueError, match=r"has not finished: go on with"):
        Subject(Run(run))


@pytest.mark.parametrize("text", [None, "{}", "[]"])
def test_a_run_that_does_not_say_what_made_it(copied: Callable[[str], Path], text: str | None) -> None:
    path = copied("gm") / "environment.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ValueError, match=r"environment\.json (is missing|does not say what the run was made with)"):
        Subject(Run(path.parent))


def test_features_are_computed_once(subject: Make) -> None:
    made = subject("gm")
    images = made.run.test_images()
    first = made.features(images)
    (cache,) = made.run.features.glob("*.safetensors")
    stamp = cache.stat().st_mtime_ns
    assert torch.equal(made.features(images).z, first.z)
    assert cache.stat().st_mtime_ns == stamp
