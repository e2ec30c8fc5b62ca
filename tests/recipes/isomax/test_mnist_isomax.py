import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from drumlin.cli import main
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.isomax import mnist_isomax
from drumlin.recipes.isomax.figures import _FIGURE_5, _FIGURE_6
from drumlin.recipes.isomax.protocol import EPSILONS, PUBLISHED_EPSILONS, fitting_scale
from drumlin.recipes.progress_figures import progress_panels
from drumlin.recipes.variants import Measured
from drumlin.results import read, select


def test_the_training_is_the_papers():
    variants = {v.name: v for v in mnist_isomax.experiment("paper").variants}
    (settings,) = variants["isotropic, 2-D"].candidates.values()
    assert (settings.backbone.name, settings.backbone.feature_dim) == ("isomax-mnist", 2)
    assert settings.head.weight == 0.05
    assert settings.data.augment is not None
    assert not settings.data.augment.shift, "no augmentation"
    training = settings.training
    assert (training.optimizer.name, training.optimizer.lr, training.batch_size) == ("Adagrad", 0.1, 128)
    steps = training.epochs * (55_000 // 128)
    assert steps >= 35_000
    assert training.schedule.factor == 0.96
    assert training.schedule.period * steps == pytest.approx(1000)


def test_published_values_stand_beside_what_they_are_of():
    variants = {v.name: v for v in mnist_isomax.experiment("cpu").variants}
    isomax = variants["isotropic, 2-D"]
    assert isomax.published.value == pytest.approx(0.014)
    five = Measured("neighbours", "accuracy", protocol="k=5, features as they are")
    assert isomax.also[five].value == pytest.approx(0.9863)
    assert isomax.also[Measured("clusters", "nmi", protocol="ward, geometric mean")].value == 0.9404
    assert [
        isomax.also[Measured("robustness", "error", anomaly=f"fgsm(epsilon={e})")].value for e in (0.003, 0.01, 0.03)
    ] == [
        0.148,
        0.4543,
        0.7217,
    ]
    steps = {name: v.also.get(Measured("convergence", "steps")) for name, v in variants.items()}
    assert {name: found and found.value for name, found in steps.items()} == {
        "softmax, 2-D": None,
        "center, 2-D": 35_000,
        "isotropic, 2-D": 20_000,
        "triplet, 2-D": None,
    }
    assert variants["triplet, 2-D"].published is None
    assert not variants["triplet, 2-D"].also


@pytest.mark.parametrize("factor", [0.05, 0.1, 8, 16])
def test_the_scale_is_found_where_there_is_one(factor):
    def accuracy(epsilon):
        return 1 / (1 + (epsilon / (0.01 * factor)) ** 1.5)

    published = [accuracy(factor * e) for e in PUBLISHED_EPSILONS]
    scale, misfit = fitting_scale(EPSILONS, [accuracy(e) for e in EPSILONS], PUBLISHED_EPSILONS, published)
    assert scale == pytest.approx(factor, rel=0.03)
    assert misfit < 0.01
    assert scale * min(PUBLISHED_EPSILONS) >= EPSILONS[0] * 0.999
    assert scale * max(PUBLISHED_EPSILONS) <= EPSILONS[-1] * 1.001


def test_a_curve_of_another_shape_has_a_misfit_at_every_scale():
    cliff = [float(e < 0.1) for e in EPSILONS]
    _, misfit = fitting_scale(EPSILONS, cliff, PUBLISHED_EPSILONS, (0.76, 0.49, 0.25))
    assert misfit > 0.15


def test_the_published_epsilons_are_among_those_measured_at():
    assert set(PUBLISHED_EPSILONS) < set(EPSILONS)
    assert list(EPSILONS) == sorted(EPSILONS)


@pytest.mark.parametrize("factor", [0.01, 50])
def test_a_factor_beyond_what_was_measured_is_not_put_at_its_end(factor):
    published = [1 / (1 + (factor * e / 0.01) ** 1.5) for e in PUBLISHED_EPSILONS]
    accuracies = [1 / (1 + (e / 0.01) ** 1.5) for e in EPSILONS]
    assert np.isnan(fitting_scale(EPSILONS, accuracies, PUBLISHED_EPSILONS, published)).all()


@pytest.mark.slow
def test_it_runs_and_shows_every_table(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = mnist_isomax.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        rows = [v for v in whole.variants if v.name.startswith("isotropic")]
        return dataclasses.replace(whole, variants=(dataclasses.replace(rows[0], seeds=(0,)),))

    monkeypatch.setattr(mnist_isomax, "experiment", experiment)
    assert main(["reproduce", "mnist-isomax", "--scale", "smoke", "--out", str(tmp_path), "--quiet"]) == 0
    records = read(tmp_path / "results.jsonl")
    assert len(select(records, task="neighbours", metric="accuracy")) == 6
    assert {r.anomaly for r in select(records, task="robustness", metric="error")} == {
        f"fgsm(epsilon={e})" for e in EPSILONS
    }
    shown = capsys.readouterr().out
    for title in ("Steps to converge", "Accuracy of k nearest neighbours, %", "Normalised mutual information"):
        assert title in shown
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "mnist-isomax.md",
        *(f"mnist-isomax-figure-{n}.{kind}" for n in (5, 6) for kind in ("png", "svg")),
    }
    told = (tmp_path / "figures" / "mnist-isomax.md").read_text()
    assert "a curve has a point every 5 steps and at the end of every epoch. A" in told
    left, right, center = (
        panel.curves["isotropic"]
        for curves in (_FIGURE_5, _FIGURE_6)
        for panel in progress_panels({"isotropic": tmp_path / "isotropic-2-D-lr=0.1-seed-0"}, curves)
    )
    for steps, values in (left, right, center):
        assert (np.diff(steps) > 0).all()
        assert set(steps[:-1]) == set(range(5, int(steps[-1]), 5)), "a point every five steps, and one at the end"
        assert np.isfinite(values).all()
    (epoch,) = (
        json.loads(line)
        for line in (tmp_path / "isotropic-2-D-lr=0.1-seed-0" / "training.jsonl").read_text().splitlines()
    )
    assert [float(values[-1]) for _, values in (left, right, center)] == [
        epoch["holdout_error"],
        epoch["probe"]["neighbour_error"],
        epoch["probe"]["center_loss"],
    ]
