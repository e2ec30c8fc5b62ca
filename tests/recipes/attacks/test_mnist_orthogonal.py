import dataclasses
from pathlib import Path

import pytest

from drumlin.cli import main
from drumlin.detectors import DETECTORS
from drumlin.recipes.attacks import mnist_beyond, mnist_orthogonal
from drumlin.recipes.experiment import Experiment
from drumlin.results import read, select


def test_the_models_are_those_of_mnist_beyond():
    for scale in ("cpu", "smoke"):
        own, others = (recipe.experiment(scale).variants for recipe in (mnist_orthogonal, mnist_beyond))
        assert own == others
    effort = mnist_orthogonal.EFFORTS["cpu"]
    assert (effort.attack.epsilon, effort.attack.steps) == (mnist_beyond.EFFORTS["cpu"].attacks["pgd-0.2"].epsilon, 100)
    assert effort.images >= 200


@pytest.mark.slow
def test_it_runs_and_the_stronger_is_no_weaker_than_either(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = mnist_orthogonal.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        (row,) = [v for v in whole.variants if v.name.startswith("softmax")]
        row = dataclasses.replace(row, candidates=dict([*row.candidates.items()][-1:]))
        return dataclasses.replace(whole, variants=(row,))

    monkeypatch.setattr(mnist_orthogonal, "experiment", experiment)
    assert main(["reproduce", "mnist-orthogonal", "--scale", "smoke", "--out", str(tmp_path), "--quiet"]) == 0
    records = read(tmp_path / "results.jsonl")
    safe = {(r.detector, r.anomaly): r.value for r in select(records, task="safety", metric="right-or-refused")}
    detectors = set(DETECTORS) - {"mixture-density", "k-density-uncertainty"}
    assert safe.keys() == {(d, a) for d in detectors for a in (None, "orthogonal", "selective", "the stronger")}
    for detector in detectors:
        assert safe[detector, "the stronger"] <= min(safe[detector, "orthogonal"], safe[detector, "selective"])
        assert safe[detector, "the stronger"] <= safe[detector, None]
    assert "Right or refused, %, at 5% false alarms" in capsys.readouterr().out
