import dataclasses
from pathlib import Path

import pytest

from drumlin.cli import main
from drumlin.detectors import DETECTORS
from drumlin.recipes.attacks import mnist_beyond
from drumlin.recipes.classification import mnist_heads
from drumlin.recipes.experiment import Experiment
from drumlin.results import read, select
from drumlin.tasks.adversarial import ALL


def test_the_models_are_those_of_mnist_heads_and_attacks_have_the_budget_of_their_names():
    own = mnist_beyond.experiment("cpu").variants
    others = {v.name: v for v in mnist_heads.experiment("cpu").variants}
    assert [v.name for v in own] == [f"{name}, 100-D" for name in mnist_beyond.ROWS]
    assert all(v.candidates == others[v.name].candidates for v in own)
    effort = mnist_beyond.EFFORTS["cpu"]
    budgets = {name: attack.epsilon for name, attack in effort.attacks.items()}
    assert budgets == {"fgsm": 0.1, "bim": 0.1, "pgd": 0.1, "pgd-0.2": 0.2}
    assert set(effort.adapted) <= effort.attacks.keys()
    assert effort.images == 500


@pytest.mark.slow
def test_it_runs_and_every_detector_meets_everything(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = mnist_beyond.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        (row,) = [v for v in whole.variants if v.name.startswith("softmax")]
        row = dataclasses.replace(row, candidates=dict([*row.candidates.items()][-1:]))
        return dataclasses.replace(whole, variants=(row,))

    monkeypatch.setattr(mnist_beyond, "experiment", experiment)
    assert main(["reproduce", "mnist-beyond", "--scale", "smoke", "--out", str(tmp_path), "--quiet"]) == 0
    records = read(tmp_path / "results.jsonl")
    areas = select(records, task="detection", metric="auroc")
    met = {(r.detector, r.anomaly) for r in areas}
    detectors = set(DETECTORS) - {"mixture-density", "k-density-uncertainty"}
    adapted = "adapted pgd"
    assert met == {(d, a) for d in detectors for a in ("noise", "fgsm", "pgd", adapted)}
    value = {(r.detector, r.anomaly): r.value for r in areas if (r.protocol or "").endswith((ALL, "all-test-samples"))}
    assert sum(value[d, adapted] for d in detectors) < sum(value[d, "pgd"] for d in detectors)
    success = {r.anomaly: r.value for r in select(records, task="robustness", metric="success")}
    assert success.keys() == {"fgsm", "pgd"}
    safe = {(r.detector, r.anomaly): r.value for r in select(records, task="safety", metric="right-or-refused")}
    assert safe.keys() == {(d, a) for d in detectors for a in (None, "fgsm", "pgd", adapted)}
    assert sum(safe[d, adapted] for d in detectors) <= sum(safe[d, "pgd"] for d in detectors)
    shown = capsys.readouterr().out
    assert "AUROC, %" in shown
    assert "Right or refused, %, at 5% false alarms" in shown
    page = (tmp_path / "figures" / "mnist-beyond.md").read_text()
    assert "(mnist-beyond.png)" in page
    assert "(mnist-beyond-safety.png)" in page
