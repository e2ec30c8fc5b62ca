import dataclasses
from pathlib import Path

import pytest

from drumlin.cli import main
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.isomax import ilsvrc_isomax
from drumlin.recipes.variants import Measured
from drumlin.results import read, select
from drumlin.settings.data import default_augment


def test_the_training_is_the_papers():
    variants = {v.name: v for v in ilsvrc_isomax.experiment("paper").variants}
    assert set(variants) == {"softmax", "center", "isotropic"}
    (settings,) = variants["isotropic"].candidates.values()
    assert settings.head.weight == 0.05
    assert settings.backbone.name == "inception-resnet-v1"
    assert (settings.data.name, settings.data.image_size) == ("ilsvrc-200", 160)
    assert settings.data.augment == default_augment("ilsvrc-200")
    assert settings.data.image_size + settings.data.augment.crop == 182
    training = settings.training
    assert (training.optimizer.name, training.optimizer.lr, training.batch_size) == ("Adagrad", 0.05, 128)
    assert training.optimizer.options == {"initial_accumulator_value": 0.1}
    assert (training.schedule.name, training.schedule.factor) == ("exponential", 0.94)
    assert training.schedule.period * training.epochs == pytest.approx(2)


def test_published_values_stand_beside_what_they_are_of():
    variants = {v.name: v for v in ilsvrc_isomax.experiment("paper").variants}
    isomax = variants["isotropic"]
    assert isomax.published.value == pytest.approx(0.2435)
    assert isomax.also[Measured("neighbours", "accuracy", protocol="k=1, features as they are")].value == pytest.approx(
        0.4992
    )
    assert isomax.also[Measured("clusters", "nmi", protocol="ward, geometric mean")].value == 0.7831
    assert not any(what.task == "robustness" for what in isomax.also)
    assert all(v.published is None and not v.also for v in ilsvrc_isomax.experiment("cpu").variants)


@pytest.mark.slow
def test_it_runs_and_shows_its_tables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = ilsvrc_isomax.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        return dataclasses.replace(whole, variants=whole.variants[2:])

    monkeypatch.setattr(ilsvrc_isomax, "experiment", experiment)
    assert main(["reproduce", "ilsvrc-isomax", "--scale", "smoke", "--out", str(tmp_path), "--quiet"]) == 0
    records = read(tmp_path / "results.jsonl")
    assert len(select(records, task="neighbours", metric="accuracy")) == 6
    assert len(select(records, task="clusters", metric="nmi")) == 4
    shown = capsys.readouterr().out
    for title in ("Accuracy of k nearest neighbours, %", "Normalised mutual information"):
        assert title in shown
