import dataclasses
from pathlib import Path

import pytest

from drumlin.recipes.adoption import adopt
from drumlin.recipes.experiment import Experiment, Ledger
from drumlin.recipes.variants import Variant
from drumlin.results import Record, append, read
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.data import DataSettings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import OptimizerSettings, RunSettings, TrainingSettings

RATES = (0.01, 0.1)


def settings(rate: float) -> RunSettings:
    training = TrainingSettings(epochs=1, optimizer=OptimizerSettings(lr=rate))
    return RunSettings(
        data=DataSettings(name="digits"),
        head=head_settings("softmax"),
        backbone=backbone_settings("digits-cnn"),
        training=training,
    )


TUNED = Variant("tuned", {f"lr={rate:g}": settings(rate) for rate in RATES}, (3, 4))
SINGLE = Variant("single", {"lr=0.1": settings(0.1)}, (3,))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Experiment("trial", "smoke", (TUNED, SINGLE), lambda subject: iter(())), tmp_path / "own.jsonl")


def tuning(rate: float, value: float | None, *, seed: int = 3, **others: object) -> Record:
    facts = {
        "run": f"{rate}-{seed}", "recipe": "other", "scale": "cpu", "task": "tuning", "metric": "holdout-error", "unit": "fraction",
        "data": "digits", "split": "holdout", "head": "softmax", "protocol": f"its name; lr={rate:g}", "seed": seed,
        "asked": dataclasses.replace(settings(rate), seed=seed).identity,
    }  # fmt: skip
    return Record(value=value, **(facts | others))


def other(tmp_path: Path, *records: Record) -> Path:
    append(tmp_path / "other.jsonl", records)
    return tmp_path / "other.jsonl"


def test_what_another_recipe_knows_chooses_here(ledger, tmp_path):
    found = adopt(ledger, [other(tmp_path, tuning(0.01, 0.2), tuning(0.1, 0.1))])
    assert [(r.recipe, r.scale, r.protocol, r.value, r.run) for r in found] == [
        ("trial", "smoke", "tuned; lr=0.01", 0.2, "0.01-3"),
        ("trial", "smoke", "tuned; lr=0.1", 0.1, "0.1-3"),
    ]
    assert ledger.chosen(TUNED) == "lr=0.1"
    assert [(s.seed, s.tuning) for s in ledger.steps(TUNED)] == [(3, False), (4, False)]
    assert ledger.left(SINGLE) == 1, "a measurement is no tuning"
    again = Ledger(ledger.experiment, ledger.path)
    assert again.chosen(TUNED) == "lr=0.1", "the file holds them, the other is not needed any more"
    assert adopt(again, [tmp_path / "other.jsonl"]) == []


def test_one_candidate_alone_leaves_the_other_to_be_tried(ledger, tmp_path):
    adopt(ledger, [other(tmp_path, tuning(0.01, 0.2))])
    assert [(s.candidate, s.tuning) for s in ledger.steps(TUNED)] == [("lr=0.1", True)]


@pytest.mark.parametrize(
    "record",
    [
        tuning(0.01, 0.2, seed=4),
        tuning(0.02, 0.2),
        tuning(0.01, 0.2, asked=None),
        tuning(0.01, 0.2, task="classification"),
        tuning(0.01, 0.2, metric="error"),
    ],
    ids=["another seed", "another rate", "settings unknown", "another task", "another metric"],
)
def test_what_is_not_the_same_does_not_count(ledger, tmp_path, record):
    assert adopt(ledger, [other(tmp_path, record)]) == []
    assert not ledger.path.exists()


def test_its_own_record_stays(ledger, tmp_path):
    own = dataclasses.replace(tuning(0.01, 0.05), recipe="trial", scale="smoke", protocol="tuned; lr=0.01")
    ledger.add([own])
    found = adopt(ledger, [other(tmp_path, tuning(0.01, 0.2), tuning(0.1, 0.1))])
    assert [r.protocol for r in found] == ["tuned; lr=0.1"]
    assert ledger.chosen(TUNED) == "lr=0.01"
    assert len(read(ledger.path)) == 2


def test_a_training_that_diverged_there_is_not_tried_here(ledger, tmp_path):
    adopt(ledger, [other(tmp_path, tuning(0.01, None), tuning(0.1, 0.9))])
    assert ledger.chosen(TUNED) == "lr=0.1"


def test_a_file_that_is_not_there(ledger, tmp_path):
    with pytest.raises(ValueError, match=r"there is no file of records .*none\.jsonl"):
        adopt(ledger, [tmp_path / "none.jsonl"])
