import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from drumlin.cli import main
from drumlin.data import load
from drumlin.data.lfw import groups
from drumlin.recipes.experiment import Experiment, Ledger
from drumlin.recipes.faces import losses, sensitivity, trainings, verification
from drumlin.recipes.faces.verification import TRIALS, digit_pairs
from drumlin.recipes.variants import Measured
from drumlin.results import Record, read, select
from drumlin.settings.data import default_augment
from drumlin.training import Run

VIEW_2 = "mirrored, 10 folds"


def rows(scale, module=losses):
    return {variant.name: variant for variant in module.experiment(scale).variants}


def only(variant):
    (settings,) = variant.candidates.values()
    return settings


def test_the_training_is_that_of_l_and_t():
    found = rows("paper")
    for name in ("softmax, L", "lgm alpha=0.01, L", "gm alpha=0.001, T", "contrastive + softmax, S"):
        settings = only(found[name])
        assert (settings.backbone.name, settings.backbone.feature_dim) == ("face-27", 512)
        assert (settings.data.name, settings.data.image_size) == ("casia-webface", 120)
        assert (settings.data.augment.flip, settings.data.image_size + settings.data.augment.crop) == (True, 128)
        training = settings.training
        assert (training.epochs, training.batch_size) == (20, 256)
        assert (training.optimizer.name, training.optimizer.lr, training.optimizer.weight_decay) == ("SGD", 0.1, 5e-4)
        assert training.optimizer.options == {"momentum": 0.9, "nesterov": False}
        assert training.schedule.factor == 0.1
        assert [share * 20 for share in training.schedule.milestones] == pytest.approx([10, 14, 16])
    heads = {name: only(found[name]).head for name in found}
    assert (heads["lgm alpha=0.005, L"].margin, heads["lgm alpha=0.005, L"].likelihood_weight) == (0.005, 0.1)
    assert (heads["gm alpha=0.001, T"].margin, heads["gm alpha=0.001, T"].likelihood_weight) == (0.001, 0.001)
    assert [heads[f"l-softmax m={m}, S"].margin for m in (2, 3, 4)] == [2, 3, 4]
    assert found["softmax, L"].seeds == (0, 1, 2)
    assert not set(found["softmax, S"].seeds) & set(found["softmax, L"].seeds), "else it would be trained twice"


def test_the_training_is_that_of_i():
    settings = only(rows("paper")["triplet, I"])
    assert (settings.head.name, settings.head.softmax_weight) == ("triplet", 0)
    assert settings.backbone.name == "inception-resnet-v1"
    assert (settings.data.name, settings.data.image_size) == ("casia-webface", 160)
    assert settings.data.augment == default_augment("casia-webface")
    training = settings.training
    assert (training.optimizer.name, training.optimizer.lr, training.batch_size) == ("RMSprop", 0.1, 512)
    assert training.optimizer.options == {"alpha": 0.9, "eps": 1.0}
    assert [share * training.epochs for share in training.schedule.milestones] == pytest.approx([50, 65])


def test_published_values_stand_beside_the_score_that_they_are_of():
    found = rows("paper")
    values = {
        name: {what.protocol: p.value for what, p in v.also.items() if what.task == "verification"}
        for name, v in found.items()
    }
    assert values["lgm alpha=0.01, L"] == {f"lfw/pairs.txt, mahalanobis, PCA 64, {VIEW_2}": 0.992}
    assert values["center, L"] == {f"lfw/pairs.txt, cosine, PCA 64, {VIEW_2}": 0.9905}
    assert values["l-softmax m=4, S"] == {f"lfw/pairs.txt, cosine, PCA 64, {VIEW_2}": 0.9871}
    assert values["isotropic, I"] == {f"lfw/pairs.txt, l2, no PCA, {VIEW_2}": 0.9803}
    assert values["gm alpha=0.001, T"] == {}
    isomax = found["isotropic, I"]
    assert isomax.published.value == pytest.approx(0.1412)
    assert isomax.also[Measured("clusters", "nmi", protocol="k-means, geometric mean")].value == 0.9461
    ten = Measured("neighbours", "accuracy", protocol="k=10, features as they are")
    assert isomax.also[ten].value == pytest.approx(0.3412)
    assert found["triplet, I"].published is None
    for scale in ("cpu", "smoke"):
        assert all(v.published is None and not v.also for v in rows(scale).values()), "trained on other people"


def test_on_two_cores_all_losses_have_one_training():
    found = rows("cpu")
    assert len(found) == 11
    scaled = {name: only(v) for name, v in found.items() if name.endswith(" with features times 1/9")}
    assert scaled.keys() == {f"{loss}, View 1 with features times 1/9" for loss in ("softmax", "gm")}
    for name, settings in scaled.items():
        assert settings.backbone.feature_scale == 1 / 9
        plain = dataclasses.replace(settings.backbone, feature_scale=1.0)
        assert dataclasses.replace(settings, backbone=plain) == only(
            found[name.removesuffix(" with features times 1/9")]
        )
    rest = [only(v) for name, v in found.items() if name not in scaled]
    assert len({str((s.training, s.backbone, s.data.image_size)) for s in rest}) == 1
    gm = only(found["gm, View 2 fold 1"])
    assert (gm.head.margin, gm.head.likelihood_weight, gm.data.name) == (0.01, 0.001, "lfw:without-folds-1-2")
    assert only(found["gm lambda=0.1, View 1"]).head.likelihood_weight == 0.1
    assert {only(v).data.name for v in found.values()} <= TRIALS.keys()


def test_the_lines_of_sensitivity():
    found = rows("paper", sensitivity)
    points = {(s.head.name, s.head.margin, s.head.likelihood_weight) for s in map(only, found.values())}
    assert len(points) == len(found)
    for loss, weight in (("gm", 0.001), ("lgm", 0.1)):
        assert sorted(a for name, a, w in points if (name, w) == (loss, weight)) == [0, 0.001, 0.003, 0.01, 0.03, 0.1]
    assert {w for name, a, w in points if (name, a) == ("gm", 0.01)} == {0, 0.0001, 0.0003, 0.001, 0.003, 0.01}
    assert {name: next(iter(v.also.values())).value for name, v in found.items() if v.also} == {
        "gm alpha=0 lambda=0.001": 0.988,
        "gm alpha=0.01 lambda=0": 0.9888,
    }
    (what,) = found["gm alpha=0 lambda=0.001"].also
    assert what.protocol == f"lfw/pairs.txt, l2, PCA 64, {VIEW_2}"
    assert not any(v.also for v in rows("cpu", sensitivity).values())


def test_pairs_of_digits_are_what_they_say(tmp_path: Path):
    pairs, images = digit_pairs(tmp_path), load("digits:8,9", "test")
    assert pairs.folds == 2
    assert 0 < int(pairs.same.sum()) < len(pairs)
    for (i, j), same in zip(pairs.index.tolist(), pairs.same.tolist(), strict=True):
        a, b = (int(Path(pairs.tree.names[k]).stem) for k in (i, j))
        assert same == bool(images.labels[a] == images.labels[b])
    found = pairs.images(root=tmp_path)
    first = [int(Path(name).stem) for name in pairs.tree.names]
    torch.testing.assert_close(found.float(), images.float(first))


@pytest.mark.data
@pytest.mark.slow
def test_nobody_in_the_pairs_was_trained_on():
    root = os.environ.get("DRUMLIN_DATA")
    if not root or not (Path(root) / "lfw").is_dir():
        pytest.skip("needs LFW under DRUMLIN_DATA")
    people = {
        name: [{file.partition("/")[0] for file in p.tree.names} for p in (t.pairs, t.threshold) if p is not None]
        for name, trial in TRIALS.items()
        if "digits" not in name
        for t in [trial(root, Path())]
    }
    known = {name: set(names) for name, names in groups(Path(root)).items()}
    (test, threshold) = people["lfw:without-folds-1-2"]
    assert not test & threshold
    assert not (test | threshold) & known["without-folds-1-2"]
    (test, threshold) = people["lfw:dev"]
    assert not test & known["dev"]
    assert threshold <= known["dev"], "as View 1 has it"
    assert len(TRIALS["lfw:dev"](root, Path()).pairs) == 1000
    assert len(TRIALS["lfw:without-folds-1-2"](root, Path()).pairs) == 600


def test_rows_pairs_and_scores_are_told_apart():
    facts = {"run": "r", "task": "verification", "data": "d", "split": "test", "metric": "accuracy", "value": 0.5}
    pairs = "lfw/pairs.txt, fold 1"
    protocol = f"gm, View 2 fold 1; {pairs}, cosine, no PCA, mirrored, threshold from lfw/pairs.txt, fold 2"
    sizes = Record(
        **(facts | {"task": "data", "metric": "images", "value": 5.0}), unit="images", protocol="gm, View 2 fold 1"
    )
    shown = verification.show([sizes, Record(**facts, unit="fraction", protocol=protocol)])
    assert "| head | detector | cosine, no PCA |" in shown
    assert "| gm, View 2 fold 1 | lfw/pairs.txt, fold 1 | 50.00 |" in shown


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """A data root with faces of two people: eights and nines."""
    images = load("digits:8,9", "test")
    for i, (x, y) in enumerate(zip(images.pixels[:30], images.labels[:30].tolist(), strict=True)):
        folder = tmp_path / "data" / "frgc" / images.class_names[y]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[0].numpy()).save(folder / f"{i}.png")
    return tmp_path / "data"


def reproduce(monkeypatch, module, name: str, count: int, root: Path, out: Path) -> list[Record]:
    whole = module.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        return dataclasses.replace(whole, variants=whole.variants[:count])

    monkeypatch.setattr(module, "experiment", experiment)
    words = ["reproduce", name, "--scale", "smoke", "--out", str(out), "--data-root", str(root), "--quiet"]
    assert main(words) == 0
    return read(out / "results.jsonl")


@pytest.mark.slow
def test_faces(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_root: Path):
    monkeypatch.setattr(losses, "_CLUSTERED", {"digits:0-7": "frgc"})
    records = reproduce(monkeypatch, losses, "faces", 1, data_root, tmp_path / "runs")
    accuracies = select(records, task="verification", metric="accuracy")
    assert {r.protocol for r in accuracies} == {
        f"softmax, digits; pairs/pairs.txt, {score}, {components}, mirrored, 2 folds"
        for score in ("l2", "cosine", "mahalanobis")
        for components in ("PCA 8", "no PCA")
    }
    clustered = select(records, task="clusters")
    assert {r.data for r in clustered} == {"frgc"}
    assert {r.n for r in clustered} == {30}
    (trained,) = {r.value for r in select(records, task="data", metric="images")}
    assert trained == len(load("digits:0-7", "train")) - round(0.1 * len(load("digits:0-7", "train")))
    assert {r.value for r in select(records, task="data", metric="people")} == {8}
    drawn = tmp_path / "runs" / "figures"
    assert {file.name for file in drawn.iterdir()} == {
        "faces.md",
        *(f"faces-figure-{number}.{kind}" for number in (5, 6, 7) for kind in ("png", "svg")),
    }
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.name.startswith("softmax"))
    (epoch,) = Run(folder).history
    assert epoch["probe"].keys() == {"neighbour_error", "center_loss", "pair_error", "pair_equal_error_rate"}
    assert 0 <= epoch["probe"]["pair_error"] < 0.5
    shown = capsys.readouterr().out
    for title in ("Trained on", "Accuracy, pairs, %", "AUROC, pairs, %", "Accuracy of k nearest neighbours, %"):
        assert title in shown


@pytest.mark.parametrize("module", [losses, sensitivity])
def test_lists_of_pairs_are_asked_for_before_a_training(module, tmp_path: Path):
    (tmp_path / "lfw" / "lfw" / "Abel").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "lfw" / "lfw" / "Abel" / "Abel_0001.jpg")
    for scale in ("cpu", "paper"):
        experiment = module.experiment(scale)
        for variant in experiment.variants:
            settings = only(variant)
            away = dataclasses.replace(settings, data=dataclasses.replace(settings.data, root=str(tmp_path)))
            with pytest.raises(ValueError, match=r"LFW's list pairs\w*\.txt is not beside"):
                experiment.needs(away)
    smoke = module.experiment("smoke")
    smoke.needs(only(smoke.variants[0]))


def test_people_to_cluster_that_are_not_there_are_told_before_a_training(monkeypatch, tmp_path: Path, data_root: Path):
    monkeypatch.setattr(losses, "_CLUSTERED", {"digits:0-7": "frgc"})
    experiment = losses.experiment("smoke")
    settings = only(experiment.variants[0])

    def at(root: Path):
        return dataclasses.replace(settings, data=dataclasses.replace(settings.data, root=str(root)))

    experiment.needs(at(data_root))
    with pytest.warns(UserWarning, match="frgc is not under .*not measured again into the same file of records"):
        experiment.needs(at(tmp_path / "empty"))


def test_only_what_is_drawn_is_followed(tmp_path: Path):
    for scale, group in (("cpu", "View 1"), ("paper", "I"), ("smoke", "digits")):
        experiment = losses.experiment(scale)
        settings = {v.name: dataclasses.replace(only(v), seed=3) for v in experiment.variants}
        followed = {name for name, given in settings.items() if experiment.probe(given, tmp_path) is not None}
        assert followed == {v.name for v in experiment.variants if v.name.endswith(f", {group}")}
        assert followed


def _accuracy(row: str, value: float) -> Record:
    protocol = f"{row}; lfw/pairsDevTest.txt, l2, PCA 64, mirrored, threshold from lfw/pairsDevTrain.txt"
    facts = {"run": "r", "task": "verification", "data": "d", "split": "test", "metric": "accuracy", "unit": "fraction"}
    return Record(value=value, ci_low=value - 0.1, ci_high=value + 0.1, protocol=protocol, **facts)


def test_the_panels_of_sensitivity_show_each_point_at_its_values():
    grid = sensitivity.Grid(trainings.LFW_VIEW_1, (0.0, 0.1), (0.0, 0.01))
    found = {}
    for i, (loss, alpha, weight) in enumerate((name, *p) for name in ("gm", "lgm") for p in grid.points(name)):
        row = f"{loss} alpha={alpha:g} lambda={weight:g}"
        found[row] = {"l2, PCA 64": _accuracy(row, 0.5 + i / 100)}
    found["gm alpha=0 lambda=0.001"] = {}  # diverged
    panels = sensitivity.panels(grid, found)
    assert [panel.title for panel in panels] == ["GM, λ = 0.001", "GM, α = 0.01", "L-GM, λ = 0.1", "L-GM, α = 0.01"]
    assert [panel.across for panel in panels] == ["α", "λ", "α", "λ"]
    expected = {
        "GM, λ = 0.001": ("gm alpha={:g} lambda=0.001", [0, 0.01, 0.1]),
        "GM, α = 0.01": ("gm alpha=0.01 lambda={:g}", [0, 0.001, 0.01]),
        "L-GM, λ = 0.1": ("lgm alpha={:g} lambda=0.1", [0, 0.01, 0.1]),
        "L-GM, α = 0.01": ("lgm alpha=0.01 lambda={:g}", [0, 0.01, 0.1]),
    }
    for panel in panels:
        row, values = expected[panel.title]
        assert list(panel.values) == values
        records = [found[row.format(value)].get("l2, PCA 64") for value in values]
        numbers = [[r.value, r.ci_low, r.ci_high] if r else [np.nan] * 3 for r in records]
        np.testing.assert_array_equal(panel.curves["l2, PCA 64"], numbers)


@pytest.mark.slow
def test_sensitivity(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    grid = sensitivity.Grid(trainings.DIGITS, (0.01,), (0.0,))
    monkeypatch.setitem(sensitivity.GRIDS, "smoke", grid)
    records = reproduce(monkeypatch, sensitivity, "faces-sensitivity", 4, tmp_path, tmp_path / "runs")
    assert len(select(records, task="verification", metric="accuracy")) == 4 * 3
    assert not select(records, task="clusters")
    assert "| gm alpha=0.01 lambda=0.001 | pairs/pairs.txt |" in capsys.readouterr().out
    drawn = tmp_path / "runs" / "figures"
    assert {p.name for p in drawn.iterdir()} == {f"faces-sensitivity.{kind}" for kind in ("md", "png", "svg")}
    text = (drawn / "faces-sensitivity.md").read_text()
    assert "(a) GM, λ = 0.001; (b) GM, α = 0.01; (c) L-GM, λ = 0.1; (d) L-GM, α = 0.01" in text

    book = Ledger(sensitivity.experiment("smoke"), tmp_path / "empty.jsonl")
    with pytest.raises(ValueError, match=r"gm alpha=0\.01 lambda=0\.001 is not measured yet"):
        sensitivity.draw(book, tmp_path / "runs", tmp_path / "again")
