import dataclasses
from pathlib import Path

import pytest

from drumlin.recipes import experiment as module
from drumlin.recipes.experiment import Experiment, Ledger, finished_runs, perform
from drumlin.recipes.sharing import pending
from drumlin.results import Record, append, read, select
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.run import RunSettings
from drumlin.training import TrainingError
from trial import record, tuning


def ledger(experiment: Experiment, path: Path, *records: Record) -> Ledger:
    append(path / "r.jsonl", records)
    return Ledger(experiment, path / "r.jsonl")


def test_at_first_every_candidate_is_to_be_tried(experiment, tmp_path):
    book = Ledger(experiment, tmp_path / "none.jsonl")
    tuned, plain = experiment.variants
    assert [(s.candidate, s.seed, s.tuning) for s in book.steps(tuned)] == [("lr=1e-6", 0, True), ("lr=0.05", 0, True)]
    assert [(s.candidate, s.seed, s.tuning) for s in book.steps(plain)] == [("as it is", 4, False)]
    assert [book.left(v) for v in experiment.variants] == [3, 1]
    assert book.chosen(tuned) is None
    assert book.chosen(plain) == "as it is"


@pytest.mark.parametrize(
    ("errors", "expected"), [((0.3, 0.1), "lr=0.05"), ((0.1, 0.1), "lr=1e-6"), ((None, 0.9), "lr=0.05")]
)
def test_the_best_candidate_is_taken_the_first_of_equals_and_none_that_diverged(experiment, tmp_path, errors, expected):
    names = ["lr=1e-6", "lr=0.05"]
    book = ledger(experiment, tmp_path, *(tuning("tuned", n, e) for n, e in zip(names, errors, strict=True)))
    tuned = experiment.variants[0]
    assert book.chosen(tuned) == expected
    assert [(s.candidate, s.seed, s.tuning) for s in book.steps(tuned)] == [(expected, 0, False), (expected, 1, False)]


def test_what_is_recorded_is_not_left(experiment, tmp_path):
    records = [tuning("tuned", "lr=1e-6", 0.2), tuning("tuned", "lr=0.05", 0.1), record("tuned", seed=1)]
    book = ledger(experiment, tmp_path, *records)
    assert [s.seed for s in book.steps(experiment.variants[0])] == [0]
    assert [book.left(v) for v in experiment.variants] == [1, 1]


def test_records_of_others_do_not_count(experiment, tmp_path):
    others = [
        record("plain, 2-D", seed=4, recipe="other"),
        record("plain, 2-D", seed=4, scale="cpu"),
        record("plain, 2", seed=4),
        record("plain, 2-D", seed=3),
        record("plain, 2-D; first half", seed=4, task="refusal"),
        tuning("tuned", "lr=7", 0.1),
        tuning("plain, 2-D", "lr=0.05", 0.1),
    ]
    book = ledger(experiment, tmp_path, *others)
    assert [book.left(v) for v in experiment.variants] == [3, 1]


def test_a_record_without_a_number_is_a_measurement(experiment, tmp_path):
    """A training that diverged is not tried again and again."""
    assert ledger(experiment, tmp_path, record("plain, 2-D", seed=4, value=None)).left(experiment.variants[1]) == 0


def test_records_of_other_settings_do_not_count(experiment, settings, tmp_path):
    """A default that changed, a rate: what the old one gave is to be measured again."""
    tuned, plain = experiment.variants
    other = dataclasses.replace(plain, candidates={"as it is": settings(0.1)})
    marked = [
        record("plain, 2-D", seed=4, asked=other.settings("as it is", 4).identity),
        tuning("tuned", "lr=1e-6", 0.1, asked=tuned.settings("lr=0.05", 0).identity),
        tuning("tuned", "lr=0.05", 0.1, asked=tuned.settings("lr=0.05", 1).identity),
    ]
    book = ledger(experiment, tmp_path, *marked)
    assert [book.left(v) for v in experiment.variants] == [3, 1]
    assert book.measurements(plain) == []
    book.add([record("plain, 2-D", seed=4, run="new", asked=plain.settings("as it is", 4).identity)])
    assert [book.left(v) for v in experiment.variants] == [3, 0]
    assert [r.run for r in book.measurements(plain)] == ["new"]


def test_measurements_of_a_candidate_that_is_chosen_no_more_do_not_count(experiment, tmp_path):
    tuned = experiment.variants[0]
    old = record("tuned", seed=0, asked=tuned.settings("lr=1e-6", 0).identity)
    book = ledger(experiment, tmp_path, tuning("tuned", "lr=1e-6", 0.3), tuning("tuned", "lr=0.05", 0.1), old)
    assert [s.seed for s in book.steps(tuned)] == [0, 1]


def test_time_left_is_that_of_the_same_network_and_as_many_epochs(experiment, tmp_path):
    tuned, plain = experiment.variants
    (settings,) = plain.candidates.values()
    longer = dataclasses.replace(settings, training=dataclasses.replace(settings.training, epochs=9))
    wider = dataclasses.replace(settings, backbone=backbone_settings("digits-cnn", width=64))
    others = [
        dataclasses.replace(plain, name=name, candidates={"as it is": given})
        for name, given in (("longer", longer), ("wider", wider))
    ]
    whole = dataclasses.replace(experiment, variants=(tuned, plain, *others))
    assert Ledger(whole, tmp_path / "none.jsonl").time_left() == (0.0, 6)

    def took(seconds, row, run):
        facts = {"task": "training", "metric": "seconds", "unit": "s", "split": "train", "backbone": "digits-cnn"}
        return dataclasses.replace(record(f"{row}; lr=0.05", value=seconds), run=run, **facts)

    times = [took(1.0, "tuned", "a"), took(5.0, "plain, 2-D", "b"), took(2.0, "tuned", "c"), took(9.0, "gone", "d")]
    assert ledger(whole, tmp_path, *times).time_left() == (4 * 2.0, 2)
    assert ledger(whole, tmp_path, took(100.0, "wider", "e")).time_left() == (4 * 2.0 + 100.0, 1)


def test_folders_are_file_names_and_differ(experiment):
    ledger = Ledger(experiment, Path("none.jsonl"))
    names = [step.folder for variant in experiment.variants for step in ledger.steps(variant)]
    assert names == ["tuned-lr=1e-6-seed-0", "tuned-lr=0.05-seed-0", "plain-2-D-as-it-is-seed-4"]


def test_where_the_runs_are_once_nothing_is_left(experiment, tmp_path):
    plain = experiment.variants[1]
    alone = dataclasses.replace(experiment, variants=(plain,))
    with pytest.raises(ValueError, match="plain, 2-D is not measured yet: run the recipe to its end first"):
        finished_runs(Ledger(alone, tmp_path / "none.jsonl"), tmp_path)
    book = ledger(alone, tmp_path, record("plain, 2-D", seed=4))
    with pytest.raises(ValueError, match=r"plain-2-D-as-it-is-seed-4 is not there any more.*\(--out\)"):
        finished_runs(book, tmp_path)
    folder = tmp_path / "plain-2-D-as-it-is-seed-4"
    folder.mkdir()
    (folder / "model.json").write_text("{}")
    assert finished_runs(book, tmp_path) == {("plain, 2-D", 4): folder}


def test_what_diverged_has_no_run(experiment, tmp_path):
    alone = dataclasses.replace(experiment, variants=experiment.variants[1:])
    book = ledger(alone, tmp_path, record("plain, 2-D", seed=4, value=None))
    assert finished_runs(book, tmp_path) == {("plain, 2-D", 4): None}


@pytest.mark.slow
def test_from_nothing_to_the_last_record(experiment, tmp_path):
    book = Ledger(experiment, tmp_path / "results.jsonl")
    for step in pending(book):
        perform(step, book, tmp_path / "runs")
    records = read(tmp_path / "results.jsonl")
    assert book.chosen(experiment.variants[0]) == "lr=0.05", "a learning rate of 1e-6 learns nothing"
    errors = select(records, metric="error")
    assert [(r.protocol, r.seed, r.published, r.published_source) for r in errors] == [
        ("tuned", 0, 0.25, "Table 9"),
        ("plain, 2-D", 4, None, None),
        ("tuned", 1, 0.25, "Table 9"),
    ]
    assert all(r.value is not None and r.value < 0.4 and r.split == "test" for r in errors)
    tried = select(records, task="tuning")
    assert [(r.protocol, r.split, r.seed) for r in tried] == [
        ("tuned; lr=1e-6", "holdout", 0),
        ("tuned; lr=0.05", "holdout", 0),
    ]
    assert {(r.recipe, r.scale) for r in records} == {("trial", "smoke")}
    assert not select(tried, n=None)
    models = {path.parent.name for path in (tmp_path / "runs").glob("*/model.json")}
    assert models == {
        "tuned-lr=1e-6-seed-0",
        "tuned-lr=0.05-seed-0",
        "tuned-lr=0.05-seed-1",
        "plain-2-D-as-it-is-seed-4",
    }


def test_a_training_that_diverges_is_recorded_without_a_number(experiment, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise TrainingError("the loss is nan")

    monkeypatch.setattr(module, "train", fail)
    book = Ledger(experiment, tmp_path / "r.jsonl")
    for step in pending(book):
        perform(step, book, tmp_path / "runs")
    records = read(tmp_path / "r.jsonl")
    assert [r.value for r in records] == [None] * 5
    assert select(records, task="classification")[0].published == 0.25


def test_what_measurements_need_is_asked_for_before_a_training(experiment, tmp_path):
    def needs(settings: RunSettings) -> None:
        raise ValueError(f"no pairs under {settings.data.root}")

    book = Ledger(dataclasses.replace(experiment, needs=needs), tmp_path / "r.jsonl")
    with pytest.raises(ValueError, match="no pairs under elsewhere"):
        perform(next(pending(book)), book, tmp_path / "runs", root="elsewhere")
    assert not list(tmp_path.iterdir())


def test_without_hold_out_nothing_can_be_chosen(experiment, tmp_path, small):
    tuned = experiment.variants[0]
    data = dataclasses.replace(tuned.candidates["lr=0.05"].data, holdout=0.0)
    candidates = {name: dataclasses.replace(values, data=data) for name, values in tuned.candidates.items()}
    changed = dataclasses.replace(experiment, variants=(dataclasses.replace(tuned, candidates=candidates),))
    book = Ledger(changed, tmp_path / "r.jsonl")
    with pytest.raises(ValueError, match="chosen by their error on the hold-out, and nothing was held out"):
        perform(next(pending(book)), book, tmp_path / "runs")
