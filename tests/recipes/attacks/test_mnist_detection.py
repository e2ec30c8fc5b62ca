import dataclasses
from pathlib import Path

import pytest

from drumlin.backbones import create_backbone
from drumlin.cli import main
from drumlin.recipes.attacks import cifar_detection, imagenet_detection, mnist_detection, semi_white_box
from drumlin.recipes.classification import mnist_heads
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.variants import Measured
from drumlin.results import read, select
from drumlin.tasks.adversarial import ALL, SUCCESSFUL


def test_the_models_are_tuned_as_those_of_mnist_heads_and_one_has_dropout():
    own = {v.name: v for v in mnist_detection.experiment("cpu").variants}
    others = {v.name: v for v in mnist_heads.experiment("cpu").variants}
    for name in ("softmax, 100-D", "rce, 100-D", "gm, 100-D"):
        assert own[name].candidates == others[name].candidates
    dropped = own["softmax dropout, 100-D"]
    assert {s.backbone.dropout for s in dropped.candidates.values()} == {semi_white_box.DROPOUT}
    assert {v.seeds for v in own.values()} == {(0,)}
    assert {v.seeds for v in mnist_detection.experiment("paper").variants} == {(0, 1, 2)}


def test_attacks_are_the_papers():
    efforts = mnist_detection.EFFORTS["cpu"]
    assert efforts["fgsm"].attack.epsilon == efforts["bim"].attack.epsilon == 0.1
    for name in ("bim", "bim-0.2", "ilcm"):
        assert (efforts[name].attack.steps, efforts[name].attack.step) == (20, 0.01)
    assert efforts["cw-hc"].attack == dataclasses.replace(efforts["cw"].attack, kappa=10)
    assert efforts["fgsm"].limit is None
    assert efforts["cw"].limit == 200
    assert efforts.keys() == mnist_detection.EFFORTS["paper"].keys()


def test_published_values_stand_beside_what_is_like_them():
    also = {v.name: v.also for v in mnist_detection.experiment("cpu").variants}
    gm = {k.anomaly: p.value for k, p in also["gm, 100-D"].items()}
    assert gm == pytest.approx({"fgsm": 0.995, "bim-0.2": 0.997, "ilcm": 0.99, "cw": 0.998})
    assert also["softmax, 100-D"][Measured("detection", "auroc", "lid", "bim-0.2")].value == pytest.approx(0.996)
    assert {k.detector for k in also["softmax dropout, 100-D"]} == {"k-density-uncertainty"}
    assert all(not v.also for v in mnist_detection.experiment("smoke").variants)


@pytest.mark.slow
def test_it_runs_and_shows_both_protocols(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = mnist_detection.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        rows = [
            dataclasses.replace(v, seeds=(0,), candidates=dict([*v.candidates.items()][-1:]))
            for v in whole.variants
            if v.name.startswith("softmax")
        ]
        return dataclasses.replace(whole, variants=tuple(rows))

    monkeypatch.setattr(mnist_detection, "experiment", experiment)
    assert main(["reproduce", "mnist-detection", "--scale", "smoke", "--out", str(tmp_path), "--quiet"]) == 0
    shown = capsys.readouterr().out
    records = select(read(tmp_path / "results.jsonl"), task="detection", metric="auroc")
    rows = {(r.detector, r.anomaly, r.protocol.partition("; ")[2]) for r in records}
    attacks = mnist_detection.EFFORTS["smoke"].keys()
    plain = {(d, a, p) for d in ("k-density", "i-defender") for a in attacks for p in (ALL, SUCCESSFUL)}
    fitted = {
        (d, a, f"{p}, {seen}")
        for d in ("lid", "k-density-uncertainty")
        for a in attacks
        for p in (ALL, SUCCESSFUL)
        for seen in (semi_white_box.SAME, semi_white_box.FGSM_ALONE)
    }
    assert rows == plain | fitted | {(d, "noise", "all-test-samples") for d in ("k-density", "i-defender")}
    for heading in (f"AUROC, %, {ALL}", f"AUROC, %, {SUCCESSFUL}", "AUROC, %, unknown images", "Success, %"):
        assert heading in shown


def test_cifars_attacks_are_the_same_and_its_models_have_the_papers_margin():
    ours, other = cifar_detection.EFFORTS["cpu"], mnist_detection.EFFORTS["cpu"]
    assert ours.keys() == other.keys()
    assert all(ours[name].attack == other[name].attack for name in ("fgsm", "bim", "bim-0.2", "ilcm"))
    variants = {v.name: v for v in cifar_detection.experiment("cpu").variants}
    (gm,) = variants["gm, 64-D"].candidates.values()
    assert (gm.head.margin, gm.data.name, gm.backbone.name) == (0.3, "cifar10", "resnet-20")
    assert variants["gm, 64-D"].also[Measured("detection", "auroc", "k-density", "bim-0.2")].value == 0.986


def test_the_papers_network_is_resnet_32():
    for recipe in (mnist_detection, cifar_detection):
        variants = recipe.experiment("paper").variants
        assert {s.backbone.name for v in variants for s in v.candidates.values()} == {"resnet-32"}


def test_imagenet_is_trained_as_t_says_and_its_features_are_those_the_classifier_sees():
    variants = {v.name: v for v in imagenet_detection.experiment("paper").variants}
    assert list(variants) == ["softmax, 2048-D", "softmax dropout, 2048-D", "gm, 2048-D"]
    (gm,) = variants["gm, 2048-D"].candidates.values()
    assert (gm.backbone.name, gm.backbone.linear, gm.head.margin) == ("torchvision:resnet50", False, 0.01)
    training = gm.training
    assert (training.epochs, training.batch_size, training.optimizer.weight_decay) == (100, 256, 2e-4)
    assert [round(training.epochs * m) for m in training.schedule.milestones] == [30, 60, 90]
    assert gm.data.image_size == 224
    area = variants["gm, 2048-D"].also[Measured("detection", "auroc", "k-density", "bim-0.2")]
    assert (area.value, area.source) == (pytest.approx(0.926), "T Table 8")
    trunk = create_backbone(gm.backbone, channels=3, size=224)
    assert trunk.feature_dim == 2048
