import dataclasses
from pathlib import Path

import pytest
import torch

from drumlin.cli import main
from drumlin.recipes.classification import imagenet_heads
from drumlin.recipes.classification.imagenet_heads import TEN_CROPS
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.variants import Measured
from drumlin.results import read, select
from drumlin.settings.data import default_augment

RESNETS = ("resnet50", "resnet101", "resnext50_32x4d")


def only(variant):
    (settings,) = variant.candidates.values()
    return settings


def test_the_trainings_are_the_papers():
    variants = {v.name: v for v in imagenet_heads.experiment("paper").variants}
    assert len(variants) == 2 + 8
    assert {name[-1]: v.seeds for name, v in variants.items()} == {"L": (0, 1, 2), "T": (0,)}, "L has three tries"
    ours, theirs = only(variants["lgm, ResNet-101, L"]), only(variants["gm, SE-ResNet-50, T"])
    assert ours.backbone.name == "torchvision:resnet101"
    assert theirs.backbone.name == "timm:seresnet50"
    for settings, rate, batch, milestones in ((ours, 0.01, 96, (50, 75)), (theirs, 0.1, 256, (30, 60, 90))):
        training = settings.training
        assert (training.optimizer.lr, training.batch_size, training.epochs) == (rate, batch, 100)
        assert tuple(share * training.epochs for share in training.schedule.milestones) == pytest.approx(milestones)
        assert (training.optimizer.name, training.optimizer.weight_decay) == ("SGD", 2e-4)
        assert training.optimizer.options == {"momentum": 0.9, "nesterov": False}
        assert (settings.head.margin, settings.head.likelihood_weight) == (0.01, 0.1)
        assert (settings.data.name, settings.data.image_size) == ("imagenet", 224)
        assert settings.data.augment == default_augment("imagenet")
        assert (settings.backbone.linear, settings.backbone.feature_dim) == (False, 2048)


@pytest.mark.slow
def test_every_network_has_the_features_that_are_said():
    models, timm = pytest.importorskip("torchvision.models"), pytest.importorskip("timm")
    with torch.device("meta"):
        widths = {f"torchvision:{name}": models.get_model(name).fc.in_features for name in RESNETS}
        widths["timm:seresnet50"] = timm.create_model("seresnet50").num_features
    assert widths == dict.fromkeys(imagenet_heads.NETWORKS.values(), 2048)


def test_published_values_stand_beside_what_they_are_of():
    variants = {v.name: v for v in imagenet_heads.experiment("paper").variants}
    ours = variants["lgm, ResNet-101, L"]
    assert ours.published.value == 0.227
    assert {what: p.value for what, p in ours.also.items()} == {
        Measured("classification", "top5-error"): 0.0714,
        Measured(TEN_CROPS, "error"): 0.219,
        Measured(TEN_CROPS, "top5-error"): 0.0605,
    }
    theirs = variants["gm, ResNeXt-50, T"]
    assert (theirs.published.value, theirs.published.source) == (0.2143, "T Table 4")
    assert theirs.also[Measured("classification", "top5-error")].value == 0.0572
    assert not variants["softmax, ResNeXt-50, T"].also, "T has a dash there"
    assert all(v.published is None and not v.also for v in imagenet_heads.experiment("cpu").variants)


@pytest.mark.slow
def test_one_window_and_ten(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = imagenet_heads.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        assert scale == "smoke"
        return dataclasses.replace(whole, variants=whole.variants[:1])

    monkeypatch.setattr(imagenet_heads, "experiment", experiment)
    assert main(["reproduce", "imagenet-heads", "--scale", "smoke", "--out", str(tmp_path), "--quiet"]) == 0
    records = read(tmp_path / "results.jsonl")
    (one,) = select(records, task="classification", metric="error")
    (ten,) = select(records, task=TEN_CROPS, metric="error")
    assert one.protocol == "softmax, digits; 1-crop of 9x9"
    assert ten.protocol == "softmax, digits; 10-crop of 9x9"
    assert one.value != ten.value, "mirrored digits are no digits"
    shown = capsys.readouterr().out
    assert f"| softmax, digits | {100 * one.value:.2f} [" in shown
    assert "1/1" in shown
    assert "Top-5 error, %" in shown
