import dataclasses
from pathlib import Path

import pytest

from drumlin.backbones import create_backbone
from drumlin.cli import main
from drumlin.recipes.classification import cifar100, cifar100_filters, cifar100_sensitivity
from drumlin.recipes.experiment import Ledger, Step
from drumlin.recipes.progress_figures import progress_panels
from drumlin.results import Record, read, select
from drumlin.settings.data import AugmentSettings

RECIPES = (cifar100, cifar100_sensitivity, cifar100_filters)


def _settings(recipe, scale):
    return {v.name: next(iter(v.candidates.values())) for v in recipe.experiment(scale).variants}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("scale", ["cpu", "paper", "smoke"])
def test_rows_have_different_folders_and_one_rate(recipe, scale):
    variants = recipe.experiment(scale).variants
    assert all(len(v.candidates) == 1 for v in variants)
    folders = {Step(v, c, v.seeds[0], False).folder for v in variants for c in v.candidates}
    assert len(folders) == len(variants)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_training_is_that_of_the_papers_on_cifar_10_and_the_network_that_of_l_s_code(recipe):
    for settings in _settings(recipe, "paper").values():
        training = settings.training
        assert (training.epochs, training.batch_size, training.optimizer.lr) == (300, 128, 0.1)
        assert [round(training.epochs * m) for m in training.schedule.milestones] == [150, 225]
        assert (training.schedule.factor, training.optimizer.weight_decay) == (0.1, 5e-4)
        assert (settings.data.name, settings.backbone.name, settings.backbone.linear) == ("cifar100", "vgg-13", False)
        assert settings.backbone.feature_dim == 4 * settings.backbone.width


@pytest.mark.parametrize(("scale", "dimension"), [("paper", 384), ("cpu", 128)])
def test_features_are_the_averages_of_the_last_maps(scale, dimension):
    settings = _settings(cifar100, scale)["gm alpha=0.1, C100"]
    assert create_backbone(settings.backbone, channels=3, size=32).feature_dim == dimension


def test_images_are_augmented_as_each_paper_does_and_not_at_all_on_c100():
    augments = {name: s.data.augment for name, s in _settings(cifar100, "paper").items()}
    assert len(augments) == 18
    for name, augment in augments.items():
        loss, _, images = name.partition(", ")
        if images == "C100":
            assert augment == AugmentSettings()
        else:
            pad = "reflect" if loss.startswith("gm") else "zero"
            assert augment == AugmentSettings(flip=True, shift=4, pad=pad)
    assert {s.data.augment for s in _settings(cifar100_sensitivity, "paper").values()} == {
        AugmentSettings(flip=True, shift=4, pad="reflect")
    }
    assert {s.data.augment for s in _settings(cifar100_filters, "paper").values()} == {AugmentSettings()}


def test_published_errors_of_table_3_where_the_papers_disagree_each_has_its_own():
    published = {v.name: v.published for v in cifar100.experiment("paper").variants}
    assert (published["lgm alpha=0.3, C100"].value, published["lgm alpha=0.3, C100"].source) == (
        pytest.approx(0.2380),
        "L Table 3",
    )
    assert (published["gm alpha=0.3, C100"].value, published["gm alpha=0.3, C100"].source) == (
        pytest.approx(0.2316),
        "T Table 3",
    )
    assert published["gm alpha=0.3, C100 augmented"].value == pytest.approx(0.2076)
    assert published["center, C100"].value == pytest.approx(0.2485)
    for name, settings in _settings(cifar100, "paper").items():
        if "alpha=" in name:
            assert name.startswith(f"{settings.head.name} alpha={settings.head.margin:g}, ")
            assert settings.head.likelihood_weight == 0.1


def test_table_6_is_turned_into_errors():
    variants = {v.name: v for v in cifar100_sensitivity.experiment("paper").variants}
    assert len(variants) == 12
    assert variants["lambda=0.01, alpha=0.3"].published.value == pytest.approx(0.2092)
    assert variants["lambda=0.1, alpha=0"].published.value == pytest.approx(0.2138)
    assert variants["lambda=0.1, alpha=0.5"].published.source == "T Table 6"
    for name, settings in _settings(cifar100_sensitivity, "paper").items():
        head = settings.head
        assert (head.name, name) == ("gm", f"lambda={head.likelihood_weight:g}, alpha={head.margin:g}")


def test_table_6_and_table_3_share_a_model():
    own = _settings(cifar100_sensitivity, "cpu")["lambda=0.1, alpha=0.3"]
    assert own == _settings(cifar100, "cpu")["gm alpha=0.3, C100 augmented"]


def test_curves_are_of_every_margin_and_of_narrower_networks():
    rows = _settings(cifar100_filters, "paper")
    assert {(s.head.margin, s.backbone.width) for s in rows.values()} == {
        (1, 96),
        (2, 96),
        (3, 96),
        (4, 96),
        (4, 48),
        (4, 24),
        (4, 12),
    }
    assert all(name == f"m={s.head.margin}, {s.backbone.width} filters" for name, s in rows.items())


def test_nothing_published_stands_beside_other_data():
    assert all(v.published is None for recipe in RECIPES for v in recipe.experiment("smoke").variants)


def test_the_table_has_a_line_a_loss_and_a_column_a_set():
    facts = {"data": "cifar100", "split": "test", "task": "classification", "metric": "error", "unit": "fraction"}

    def record(protocol: str, value: float, **others: object) -> Record:
        return Record(run=protocol, protocol=protocol, value=value, **facts, **others)

    shown = cifar100.show(
        [
            record("gm alpha=0.3, C100", 0.25, published=0.2316),
            record("gm alpha=0.3, C100 augmented", 0.5),
            record("softmax, C100", 0.75),
        ]
    )
    assert shown == (
        "Error, %\n\n| head | C100 | C100 augmented |\n| --- | --- | --- |\n"
        "| gm alpha=0.3 | 25.00 (23.16) | 50.00 |\n| softmax | 75.00 | – |"
    )


@pytest.mark.slow
def test_curves_from_nothing_to_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["reproduce", "cifar100-filters", "--scale", "smoke", "--out", str(tmp_path), "--quiet"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "7 trainings left" in printed.err
    names = {f"s-figure-{n}.{kind}" for n in (6, 7) for kind in ("png", "svg")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"cifar100-filters.md", *names}
    text = (tmp_path / "figures" / "cifar100-filters.md").read_text()
    assert text.count("(a) training images; (b) hold-out") == 2

    # all but one diverged, then all
    experiment = cifar100_filters.experiment("smoke")
    book = Ledger(experiment, tmp_path / "results.jsonl")
    errors = select(read(tmp_path / "results.jsonl"), task="classification", metric="error")
    folders = {f"m = {i}": None for i in range(3)} | {"m = 4": tmp_path / "m=4-8-filters-lr=0.03-seed-0"}
    left, right = progress_panels(folders, cifar100_filters._ERRORS)
    assert list(left.curves) == list(right.curves) == ["m = 4"]
    steps, shares = right.curves["m = 4"]
    assert len(steps) == len(shares) == 1
    assert steps[0] > 10
    book.add([dataclasses.replace(r, value=None) for r in errors])
    cifar100_filters.draw(book, tmp_path, tmp_path / "again")
    assert [p.reason for p in progress_panels(dict.fromkeys(folders), cifar100_filters._ERRORS)] == [
        "all trainings diverged"
    ] * 2
    assert (tmp_path / "again" / "s-figure-7.png").is_file()
