import dataclasses
from pathlib import Path

import pytest

from drumlin.backbones.cifar_resnet import CifarResNet
from drumlin.cli import main
from drumlin.recipes import distance_figures
from drumlin.recipes.classification import cifar10_heads
from drumlin.recipes.experiment import Experiment, Ledger
from drumlin.recipes.variants import Measured
from drumlin.results import read, select
from drumlin.settings.run import RunSettings


def _variants(scale):
    return {v.name: v for v in cifar10_heads.experiment(scale).variants}


def _on(network):
    """Rows at CPU scale of a network, by name."""
    return {name: v for name, v in _variants("cpu").items() if name.endswith(f", {network}")}


def test_every_loss_has_four_settings_on_the_narrow_network():
    assert len(_variants("cpu")) == 29
    variants = _on("narrow fast-32")
    assert len(variants) == 8
    for variant in variants.values():
        assert list(variant.candidates) == ["lr=0.25", "lr=0.5", "lr=1", "lr=2"]
        for name, settings in variant.candidates.items():
            assert (f"lr={settings.training.optimizer.lr:g}", settings.training.batch_size) == (name, 512)
            backbone = settings.backbone
            assert (backbone.name, backbone.width, backbone.feature_dim) == ("fast-32", 16, 100)
            assert backbone.feature_scale == 1 / 9
            training, augment = settings.training, settings.data.augment
            assert (training.epochs, training.schedule.name) == (8, "one-cycle")
            assert training.optimizer.weight_decay == 1e-3
            assert (augment.flip, augment.flip_alternating, augment.shift, augment.pad) == (True, True, 2, "reflect")
    three = {name.partition(",")[0] for name, v in variants.items() if v.seeds == (0, 1, 2)}
    assert three == {"softmax smoothed 0.2", "softmax", "gm", "lgm"}
    assert {v.seeds for v in variants.values()} == {(0, 1, 2), (0,)}


def test_the_whole_network_is_the_narrow_one_at_its_own_width():
    ((name, variant),) = _on("fast-32").items()
    ((found, settings),) = variant.candidates.items()
    narrow = _on("narrow fast-32")["softmax smoothed 0.2, narrow fast-32"].candidates[found]
    assert (name, found, variant.seeds) == ("softmax smoothed 0.2, fast-32", "lr=0.5", (0,))
    assert (settings.backbone.width, settings.training.epochs) == (64, 12)
    backbone = dataclasses.replace(settings.backbone, width=16)
    training = dataclasses.replace(settings.training, epochs=8)
    assert dataclasses.replace(settings, backbone=backbone, training=training) == narrow


@pytest.mark.parametrize(
    ("network", "more", "rates", "seeds", "holdout"),
    [
        ("narrow fast-32", "", {"softmax": "lr=1", "gm": "lr=1"}, {1}, 0.1),
        ("fast-32", "", {"softmax smoothed 0.2": "lr=0.5", "gm": "lr=1"}, {1, 2}, 0.02),
        ("fast-32", " at a rate of 1", {"softmax smoothed 0.2": "lr=1"}, {1}, 0.02),
        ("fast-32", " with cutout", {"softmax smoothed 0.2": "lr=1", "gm": "lr=1"}, {1}, 0.02),
    ],
)
def test_longer_trainings_are_those_of_a_shorter_one_but_for_what_they_say(network, more, rates, seeds, holdout):
    short, long = _on("narrow fast-32"), _on(f"{network}{more} for 16 epochs")
    assert {name.partition(",")[0] for name in long} == set(rates)
    assert {len(variant.seeds) for variant in long.values()} == seeds
    for name, variant in long.items():
        ((found, settings),) = variant.candidates.items()
        same = short[f"{name.partition(',')[0]}, narrow fast-32"].candidates[rates[name.partition(",")[0]]]
        assert found == rates[name.partition(",")[0]]
        assert (settings.training.epochs, settings.data.holdout) == (16, holdout)
        assert (settings.data.augment.cutout, same.data.augment.cutout) == (8 if "cutout" in more else 0, 0)
        assert settings.training.epochs > same.training.epochs
        training = dataclasses.replace(settings.training, epochs=same.training.epochs)
        augment = dataclasses.replace(settings.data.augment, cutout=0)
        data = dataclasses.replace(settings.data, holdout=same.data.holdout, augment=augment)
        assert settings.backbone.width == (16 if "narrow" in network else 64)
        backbone = dataclasses.replace(settings.backbone, width=16)
        assert dataclasses.replace(settings, training=training, data=data, backbone=backbone) == same


AS_SOURCE = "fast-32 as its source trains it"


def test_every_loss_is_trained_as_the_source_does():
    rows = _on(f"{AS_SOURCE} for 10 epochs")
    assert {name.partition(",")[0] for name in rows} == cifar10_heads.HEADS.keys() - {"l-softmax m=4"}
    for name, variant in rows.items():
        loss = name.partition(",")[0]
        tuned = loss in ("softmax smoothed 0.2", "gm", "lgm")
        assert list(variant.candidates) == (["lr=0.75", "lr=1.5", "lr=3"] if tuned else ["lr=1.5"])
        assert variant.seeds == ((0, 1, 2) if tuned else (0,))
        for rate, settings in variant.candidates.items():
            assert (rate, settings.training.epochs, settings.data.holdout) == (
                f"lr={settings.training.optimizer.lr:g}",
                10,
                0.1,
            )
            assert settings.head == cifar10_heads.HEADS[loss]
            assert as_the_source(settings)


SMOOTHED, GM = "softmax smoothed 0.2", "gm"
WIDER, MORE = " of width 80", ", with more augmentation"


@pytest.mark.parametrize(
    ("loss", "of", "said", "epochs", "seeds", "varied", "width", "holdout"),
    [
        (SMOOTHED, "", "", 20, (0,), (2, 0, 0), 64, 0.02),
        (SMOOTHED, "", MORE, 30, (0, 1, 2), (4, 8, 0), 64, 0.02),
        (SMOOTHED, "", f"{MORE} and a plain end", 30, (0,), (4, 8, 5), 64, 0.02),
        (SMOOTHED, WIDER, MORE, 20, (0, 1, 2), (4, 8, 0), 80, 0.02),
        (GM, WIDER, MORE, 20, (0, 1, 2), (4, 8, 0), 80, 0.02),
        (SMOOTHED, WIDER, f"{MORE} on all images", 21, (0, 1, 2), (4, 8, 0), 80, 0),
    ],
)
def test_longer_trainings_as_the_source_does(loss, of, said, epochs, seeds, varied, width, holdout):
    variant = _variants("cpu")[f"{loss}, fast-32{of} as its source trains it{said} for {epochs} epochs"]
    ((rate, settings),) = variant.candidates.items()
    assert (rate, variant.seeds) == ("lr=1.5", seeds)
    assert settings.head == cifar10_heads.HEADS[loss]
    assert (settings.training.epochs, settings.data.holdout) == (epochs, holdout)
    own = settings.data.augment
    assert ((own.shift, own.cutout, own.plain_epochs), settings.backbone.width) == (varied, width)
    augment = dataclasses.replace(own, shift=2, cutout=0, plain_epochs=0)
    data, backbone = (
        dataclasses.replace(settings.data, augment=augment),
        dataclasses.replace(settings.backbone, width=64),
    )
    assert as_the_source(dataclasses.replace(settings, data=data, backbone=backbone))


def as_the_source(settings: RunSettings) -> bool:
    """Whether a training is that of airbench94.py, at whatever rate and for as long as it may be.

    1,024 images, momentum 0.85, rate 11.5 and decay 0.0153 for them, both by 1 + 1 / (1 - 0.85).
    """
    training, optimizer = settings.training, settings.training.optimizer
    by = 1 + 1 / (1 - 0.85)
    rate = 11.5 / by
    assert rate == pytest.approx(1.5, rel=1e-3)
    assert rate * optimizer.weight_decay == pytest.approx(0.0153 / by, rel=1e-3)
    narrow = _on("narrow fast-32")["gm, narrow fast-32"].candidates["lr=1"]
    return (
        (training.batch_size, optimizer.options, optimizer.norm_bias_factor) == (1024, {"momentum": 0.85}, 64)
        and dataclasses.astuple(training.lookahead) == (5, 0.95, 3.0, 0.3)
        and settings.backbone == dataclasses.replace(narrow.backbone, width=64)
        and settings.data.augment == narrow.data.augment
    )


def test_losses_have_the_papers_hyperparameters_and_the_default_warm_up():
    heads = cifar10_heads.HEADS
    for name in ("gm", "lgm"):
        head = heads[name]
        assert (head.name, head.margin, head.likelihood_weight, head.warmup_steps) == (name, 0.3, 0.1, None)
    assert heads["isotropic"].weight == 0.05
    assert (heads["l-softmax m=4"].margin, heads["l-softmax m=4"].beta_min) == (4, 0)
    assert (heads["l-softmax m=4 beta_min=5"].margin, heads["l-softmax m=4 beta_min=5"].beta_min) == (4, 5)
    assert (heads["softmax"].label_smoothing, heads["softmax smoothed 0.2"].label_smoothing) == (0, 0.2)


def test_i_s_numbers_stand_beside_its_losses_alone():
    variants = _variants("cpu")
    five = Measured("neighbours", "accuracy", protocol="k=5, features as they are")
    assert {name for name, v in variants.items() if v.also} == {
        f"{loss}, {network}"
        for loss in ("softmax", "center", "isotropic")
        for network in ("narrow fast-32", f"{AS_SOURCE} for 10 epochs")
    }
    assert variants["isotropic, narrow fast-32"].also[five].value == pytest.approx(0.8914)
    assert variants["gm, narrow fast-32"].published is None, "on that network nothing was published of it"
    assert all(v.published is None and not v.also for v in _variants("smoke").values())


def test_table_2_is_trained_as_published_on_the_trunks_own_features():
    variants = _variants("paper")
    assert len(variants) == 16
    for variant in variants.values():
        (settings,) = variant.candidates.values()
        training = settings.training
        assert (training.epochs, training.batch_size, training.optimizer.lr) == (300, 128, 0.1)
        assert [round(training.epochs * m) for m in training.schedule.milestones] == [150, 225]
        assert (training.schedule.factor, training.optimizer.weight_decay) == (0.1, 5e-4)
        assert (settings.data.augment.flip, settings.data.augment.shift) == (True, 4)
        assert not settings.backbone.linear
        assert settings.backbone.feature_dim == CifarResNet.out_features
    padding = {
        name.partition(",")[0]: next(iter(v.candidates.values())).data.augment.pad for name, v in variants.items()
    }
    assert padding == {"softmax": "zero", "center": "zero", "l-softmax m=4": "zero", "lgm": "zero", "gm": "reflect"}


def test_published_errors_of_table_2():
    variants = _variants("paper")
    errors = {name: v.published.value for name, v in variants.items() if v.published is not None}
    assert len(errors) == 15
    assert errors["softmax, ResNet-20"] == pytest.approx(0.0875)
    assert errors["l-softmax m=4, ResNet-56"] == pytest.approx(0.0605)
    assert errors["gm, ResNet-110"] == errors["lgm, ResNet-110"] == pytest.approx(0.0496)
    assert variants["gm, ResNet-110"].published.source == "T Table 2"
    assert variants["lgm, ResNet-110"].published.source == "L Table 2"
    names = {name: next(iter(v.candidates.values())).backbone.name for name, v in variants.items()}
    assert names["gm, ResNet-32"] == "resnet-32", "T Fig. 2's"
    assert names["center, ResNet-110"] == "resnet-110"


@pytest.fixture
def two_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smoke experiment's GM and softmax, one candidate and seed each."""
    whole = cifar10_heads.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        rows = [
            dataclasses.replace(v, seeds=(0,), candidates=dict([*v.candidates.items()][-1:]))
            for v in whole.variants
            if v.name in ("gm, digits-cnn", "softmax, digits-cnn")
        ]
        return dataclasses.replace(whole, variants=tuple(rows))

    monkeypatch.setattr(cifar10_heads, "experiment", experiment)


@pytest.mark.slow
def test_from_nothing_to_tables_and_figure(two_losses: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["reproduce", "cifar10-heads", "--scale", "smoke", "--out", str(tmp_path), "--quiet"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    records = read(tmp_path / "results.jsonl")
    for title in (
        "Steps to converge",
        "Accuracy of k nearest neighbours, %",
        "Normalised mutual information",
        "Geometry",
    ):
        assert title in shown
    (gm,) = select(records, metric="mean-distance", protocol="gm, digits-cnn")
    assert gm.published == pytest.approx(2.725, abs=1e-3)
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {
        "cifar10-heads.md",
        "cifar10-heads-distances.png",
        "cifar10-heads-distances.svg",
    }
    text = (tmp_path / "figures" / "cifar10-heads.md").read_text()
    assert f"(a) gm, digits-cnn; (b) {gm.value:.2f} ± " in text
    assert "optimum 2.73" in text
    assert "softmax" not in text

    # a run whose arrays are gone, and one that diverged
    book = Ledger(cifar10_heads.experiment("smoke"), tmp_path / "results.jsonl")
    (tmp_path / "gm-digits-cnn-lr=0.03-seed-0" / "arrays" / "geometry.safetensors").unlink()
    with pytest.raises(ValueError, match="has no distances any more: remove its records, and it is measured again"):
        distance_figures.draw(book, tmp_path, tmp_path / "again")
    error = next(r for r in select(records, task="classification", metric="error") if r.head == "gm")
    book.add([dataclasses.replace(error, value=None)])
    distance_figures.draw(book, tmp_path, tmp_path / "again")
    assert "(a) gm, digits-cnn; (b) gm, digits-cnn" in (tmp_path / "again" / "cifar10-heads.md").read_text()
