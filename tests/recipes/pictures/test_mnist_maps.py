import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from drumlin.cli import main
from drumlin.detectors import KDensity
from drumlin.features import FeatureSet
from drumlin.heads import GaussianMixtureHead
from drumlin.recipes.experiment import Ledger
from drumlin.recipes.pictures import mnist_map_figures, mnist_maps
from drumlin.recipes.pictures.mnist_map_figures import ATTACKED, _changed, _Maps, _on_circle
from drumlin.report.contents import FeatureMap, Kind, Points, RunContents
from drumlin.report.figures.panels import EmptyPanel, PointsPanel
from drumlin.results import read, select
from drumlin.tasks.base import TaskResult, stored_arrays


def test_every_model_is_trained_once_and_twice_where_two_trainings_are_compared():
    variants = mnist_maps.experiment("cpu").variants
    assert sum(len(variant.seeds) for variant in variants) == 15
    assert [v.name for v in variants if len(v.seeds) == 2] == ["center", "isotropic alpha=0.05"]
    settings = {v.name: next(iter(v.candidates.values())) for v in variants}
    assert all(len(v.candidates) == 1 for v in variants)
    assert {s.backbone.feature_dim for s in settings.values()} == {2}
    assert {(s.training.epochs, s.training.batch_size) for s in settings.values()} == {(3, 128)}
    assert {s.training.optimizer.lr for s in settings.values()} == {0.1}
    heads = {name: s.head for name, s in settings.items()}
    assert [heads[f"l-softmax m={m}"].margin for m in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert [heads[name].margin for name in ("lgm alpha=0", "lgm", "gm alpha=0", "gm")] == [0, 1, 0, 1]
    assert (heads["gm"].covariance, heads["gm"].likelihood) == ("identity", "mixture_bound")
    assert [heads[f"isotropic alpha={alpha}"].weight for alpha in ("0.005", "0.05", "0.5")] == [0.005, 0.05, 0.5]


def test_published_errors_stand_beside_mnist_alone():
    published = {v.name: v.published for v in mnist_maps.experiment("cpu").variants}
    assert published["softmax"].value == 0.0182
    assert published["l-softmax m=1"].value == pytest.approx(1 - 0.9845)
    assert published["gm alpha=0"] is None
    assert all(v.published is None for v in mnist_maps.experiment("smoke").variants)


def test_the_attack_is_called_what_it_is():
    assert f"{mnist_maps.ATTACK.name}(epsilon={mnist_maps.ATTACK.epsilon:g})" == ATTACKED


def test_the_surface_is_the_score_at_each_place_of_the_grid():
    head = GaussianMixtureHead(2, 2)
    head.means.data = torch.tensor([[-2.0, 0.0], [2.0, 1.0]])
    z = torch.tensor([[-2.0, 0.0], [-1.0, 0.5], [2.0, 1.0], [3.0, 1.0]])
    detector = KDensity(bandwidth=1.0).fit(FeatureSet(z, head.logits(z).detach(), torch.tensor([0, 0, 1, 1])))
    x, y = torch.tensor([-2.0, 0.5, 3.0]), torch.tensor([0.0, 1.0])
    arrays = mnist_maps.surface(detector, head, TaskResult([], {"density/x": x, "density/y": y})).arrays
    assert arrays["log"].shape == (2, 3)
    for row, column in ((0, 0), (1, 2)):
        place = torch.tensor([float(x[column]), float(y[row])])
        own = z[:2] if column == 0 else z[2:]  # of the class that is nearer
        expected = torch.exp(-(own - place).square().sum(1) / 2).mean().log()
        torch.testing.assert_close(arrays["log"][row, column], expected)


def test_the_surface_of_a_head_on_another_device(elsewhere):
    head = GaussianMixtureHead(2, 2)
    z = torch.tensor([[-2.0, 0.0], [-1.0, 0.5], [2.0, 1.0], [3.0, 1.0]])
    detector = KDensity(bandwidth=1.0).fit(FeatureSet(z, head.logits(z).detach(), torch.tensor([0, 0, 1, 1])))
    shown = TaskResult([], {"density/x": torch.tensor([-2.0, 3.0]), "density/y": torch.tensor([0.0, 1.0])})
    here = mnist_maps.surface(detector, head, shown).arrays
    there = mnist_maps.surface(detector, head.to(elsewhere), shown).arrays
    torch.testing.assert_close(there["log"], here["log"])


def _points(name: str, kind: Kind, index, label, prediction, drawn=None) -> Points:
    n = len(index)
    drawn = np.ones(n, bool) if drawn is None else np.array(drawn)
    places = np.stack([np.arange(n), np.arange(n)], 1).astype(float)
    facts = (np.array(index), drawn, np.array(label), np.array(prediction), np.ones(n))
    return Points(name, kind, *facts, thumbnails=np.zeros((n, 1, 1, 1), np.uint8), views={"plane": places})


@pytest.fixture
def run() -> RunContents:
    """Five test images, of which image 2 is wrong untouched; attacked are 0, 1, 2 and 4, and 1 keeps its class."""
    sets = (
        _points("training", Kind.TRAINING, range(4), [0, 1, 0, 1], [0, 1, 0, 1]),
        _points("test", Kind.TEST, range(5), [0, 0, 1, 1, 0], [0, 0, 0, 1, 0]),
        _points(
            ATTACKED, Kind.ATTACKED, [0, 1, 2, 3, 4], [0, 0, 1, 1, 0], [1, 0, 0, 0, 1], [True, True, True, False, True]
        ),
    )
    scores = {"test": np.arange(5.0), ATTACKED: np.array([9.0, 9.0, 9.0, 9.0, 3.7])}
    return RunContents(
        folder=Path("run"),
        name="run",
        settings={},
        environment={},
        class_names=("a", "b"),
        scores={"mixture-density": scores},
        map=FeatureMap({}, sets, None),
    )


def _maps(run: RunContents | None) -> _Maps:
    settings = next(iter(mnist_maps.experiment("smoke").variants[0].candidates.values()))
    return _Maps({("lgm", 0): run}, settings)


def test_changed_are_drawn_images_that_were_right_and_are_wrong(run):
    assert _changed(run).tolist() == [True, False, False, False, True]


def test_how_many_changed_images_are_strange_is_said(run):
    # the 95% quantile of 0, 1, 2, 3, 4 is 3.8: one of the scores 9 and 3.7 is above it
    assert _maps(run).found("lgm", "mixture-density").startswith("Of 2 such images 50% have a lower density than 95%")
    none = dataclasses.replace(run, scores={})
    assert _maps(none).found("lgm", "mixture-density") == "There is no such image, or no density."
    assert _maps(None).found("lgm", "mixture-density") == "Its training diverged."


def test_what_diverged_or_collapsed_has_an_empty_panel(run):
    for panel in (_maps(None).panel("L-GM", "lgm"), _maps(None).density("L-GM", "lgm", "mixture-density")):
        assert isinstance(panel, EmptyPanel)
        assert panel.reason == "the training diverged"
    panel = _maps(dataclasses.replace(run, scores={})).density("L-GM", "lgm", "mixture-density")
    assert isinstance(panel, EmptyPanel)
    assert panel.reason == "each class is a single point"


def test_a_panel_has_the_drawn_points_and_at_most_so_many(run):
    attacked = _maps(run).panel("L-GM", "lgm", ATTACKED)
    assert isinstance(attacked, PointsPanel)
    assert attacked.points[:, 0].tolist() == [0, 1, 2, 4]
    assert attacked.classes.tolist() == [0, 0, 1, 0]
    assert len(_maps(run).panel("L-GM", "lgm", "test", most=3).points) == 3


def test_a_run_without_a_map_says_what_would_do(run):
    with pytest.raises(ValueError, match=r"run has no map of training: remove its records, and it is measured again"):
        _maps(dataclasses.replace(run, map=None)).panel("L-GM", "lgm")
    with pytest.raises(ValueError, match="run has no density on its map"):
        _maps(run).density("L-GM", "lgm", "mixture-density")


def test_points_on_a_circle():
    np.testing.assert_allclose(
        _on_circle(np.array([[3.0, 4.0], [0.0, -2.0], [0.0, 0.0]])), [[0.6, 0.8], [0, -1], [0, 0]]
    )


@pytest.mark.slow
def test_from_nothing_to_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["reproduce", "mnist-maps", "--scale", "smoke", "--out", str(tmp_path / "runs"), "--quiet"]
    assert main([*words, "--figures", str(tmp_path / "maps")]) == 0
    printed = capsys.readouterr()
    assert "15 trainings left" in printed.err
    names = {"l-figure-1", "t-figure-1", "i-figure-2", "i-figure-3", "i-figure-4", "s-margins"}
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {
        "mnist-maps.md",
        *(f"{name}.{kind}" for name in names for kind in ("png", "svg")),
    }
    assert str(tmp_path / "maps" / "l-figure-1.svg") in printed.out
    text = (tmp_path / "maps" / "mnist-maps.md").read_text()
    assert set(re.findall(r"\]\((\S+)\.png\)", text)) == names
    records = read(tmp_path / "runs" / "results.jsonl")
    (error,) = (r.value for r in select(records, task="classification", metric="error") if r.protocol == "gm")
    assert f"(e) GM, α = 1, test error {100 * error:.2f}%" in text
    assert "these α would be 0.16, 1.6, 16 there" in text
    gm = tmp_path / "runs" / "gm-lr=0.01-seed-0"
    assert stored_arrays(gm, mnist_map_figures.SURFACE)["log"].shape == stored_arrays(gm, "map")["density/log"].shape
    assert {r.detector for r in select(records, task="detection")} == set(mnist_map_figures.DETECTORS)
    assert ATTACKED in (tmp_path / "runs" / "report.html").read_text()

    # a run that diverged, one that is gone, and one that has a map no longer
    book = Ledger(mnist_maps.experiment("smoke"), tmp_path / "runs" / "results.jsonl")
    diverged = next(r for r in select(records, task="classification", metric="error") if r.protocol == "l-softmax m=4")
    book.add([dataclasses.replace(diverged, value=None)])
    shutil.rmtree(tmp_path / "runs" / "l-softmax-m=4-lr=0.01-seed-0")
    assert main([*words, "--figures", str(tmp_path / "again")]) == 0
    assert "(d) m = 4, training images; (e)" in (tmp_path / "again" / "mnist-maps.md").read_text()
    same = [(tmp_path / place / "t-figure-1.png").read_bytes() for place in ("maps", "again")]
    assert same[0] == same[1]
    (gm / "arrays" / f"{mnist_map_figures.SURFACE}.safetensors").unlink()
    capsys.readouterr()
    assert main(words) == 2
    assert "gm-lr=0.01-seed-0 has no K-density of its map: remove its records" in capsys.readouterr().err
    shutil.rmtree(gm)
    assert main(words) == 2
    assert "gm-lr=0.01-seed-0 is not there any more, though" in capsys.readouterr().err
    assert json.loads((tmp_path / "runs" / "results.jsonl").read_text().splitlines()[0])["recipe"] == "mnist-maps"
