import dataclasses
from pathlib import Path

import pytest

from drumlin.backbones.cifar_resnet import CifarResNet
from drumlin.cli import main
from drumlin.recipes.attacks import cifar_detection, cifar_white_box, mnist_detection, mnist_white_box
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.variants import Measured
from drumlin.results import read, select
from drumlin.tasks.adversarial import ALL, SUCCESSFUL


@pytest.mark.parametrize(
    ("own", "other"), [(mnist_white_box, mnist_detection), (cifar_white_box, cifar_detection)], ids=["mnist", "cifar"]
)
@pytest.mark.parametrize("scale", ["cpu", "paper"])
def test_the_models_are_those_of_the_detection_recipes(own, other, scale):
    detected = {v.name: v.candidates for v in other.experiment(scale).variants}
    assert {v.name: v.candidates for v in own.experiment(scale).variants} == detected


def test_the_papers_network_goes_to_a_deeper_one_and_the_attack_has_its_rate():
    for recipe in (mnist_white_box, cifar_white_box):
        variants = recipe.experiment("paper").variants
        backbones = {s.backbone for v in variants for s in v.candidates.values()} | {recipe.PLANS["paper"].partner}
        assert {(b.linear, b.feature_dim) for b in backbones} == {(False, CifarResNet.out_features)}, (
            "their own features"
        )
        assert {s.backbone.name for v in variants for s in v.candidates.values()} == {"resnet-32"}
        plan = recipe.PLANS["paper"]
        assert plan.partner.name == "resnet-56"
        assert (plan.attack.lr, plan.attack.kappa, plan.attack.binary_search_steps) == (0.001, 0, 5)
        assert recipe.PLANS["cpu"].images >= 100


def test_published_values_are_in_the_units_of_records():
    also = {v.name: v.also for v in mnist_white_box.experiment("cpu").variants}
    gm = also["gm, 100-D"]
    assert gm[Measured("detection", "auroc", "k-density", "cw-detector")].value == pytest.approx(0.849)
    assert gm[Measured("robustness", "distortion", None, "cw-detector")].value == pytest.approx(42.29 / 255)
    assert gm[Measured("robustness", "success", None, "cw-detector")].value == pytest.approx(0.681)
    moved = gm[Measured("detection", "auroc", "k-density", "transfer")]
    assert (moved.value, moved.source) == (pytest.approx(0.986), "T Table 11")
    assert not also["softmax dropout, 100-D"]
    rce = {v.name: v.also for v in cifar_white_box.experiment("cpu").variants}["rce, 64-D"]
    assert rce[Measured("detection", "auroc", "k-density", "transfer")].value == pytest.approx(0.849)


@pytest.mark.slow
def test_it_runs_and_the_partner_is_another_model(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = mnist_white_box.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        rows = [
            dataclasses.replace(v, candidates=dict([*v.candidates.items()][-1:]))
            for v in whole.variants
            if v.name.startswith("softmax")
        ]
        return dataclasses.replace(whole, variants=tuple(rows))

    monkeypatch.setattr(mnist_white_box, "experiment", experiment)
    command = ["reproduce", "mnist-white-box", "--scale", "smoke", "--out", str(tmp_path), "--quiet"]
    assert main(command) == 0
    records = read(tmp_path / "results.jsonl")
    areas = select(records, task="detection", metric="auroc")
    met = {((r.protocol or "").partition(",")[0], r.detector, r.anomaly) for r in areas}
    assert met == {
        ("softmax", "k-density", "cw-detector"),
        ("softmax", "k-density", "transfer"),
        ("softmax dropout", "k-density-uncertainty", "cw-detector"),
    }
    assert {(r.protocol or "").rpartition("; ")[2] for r in areas} == {ALL, SUCCESSFUL}
    run = {r.anomaly: r.run for r in areas if (r.protocol or "").startswith("softmax,")}
    assert run["transfer"] != run["cw-detector"], "judged on the other model"
    partner = tmp_path / "softmax-100-D-lr=0.03-seed-0-digits-cnn-partner"
    assert (partner / "model.json").is_file()
    success = {
        (r.protocol or "").partition(",")[0]: r.value
        for r in select(records, metric="success")
        if r.anomaly == "cw-detector"
    }
    assert 0 < success["softmax"] <= 1
    assert {r.seed for r in areas} == {0}
    out = capsys.readouterr().out
    assert "Distortion" in out
    assert "| protocol | detector | cw-detector | transfer |" in out
    assert main([*command, "--list"]) == 0
