from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from drumlin.attacks import FGSM
from drumlin.features import FeatureSet
from drumlin.heads import GaussianMixtureHead
from drumlin.tasks import Subject, TaskResult
from drumlin.tasks import feature_map as module
from drumlin.tasks.base import stored_arrays
from drumlin.tasks.detection import anomalous_sets
from drumlin.tasks.feature_map import feature_map, known_sets
from drumlin.tasks.robustness import attack_images
from drumlin.tasks.shown import thumbnails
from drumlin.training import Run, train

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]


@pytest.fixture(scope="session")
def flat_run(small: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GM run with two feature dimensions."""
    out = tmp_path_factory.mktemp("flat") / "run"
    train(small("gm", "digits:0-2", epochs=4, backbone={"feature_dim": 2}), out)
    return out


@pytest.mark.parametrize("head", ["softmax", "gm"])
def test_every_row_is_of_the_image_that_its_index_says(subject: Make, head: str) -> None:
    made = subject(head)
    sets = known_sets(made) | anomalous_sets(made, ["digits:8,9"])
    arrays = feature_map(made, sets).arrays
    classifier = made.run.classifier
    for name, kind in (("training", 0), ("test", 1), ("digits:8,9", 2)):
        images = sets[name].images
        index = arrays[f"index/{name}"]
        assert int(arrays[f"kind/{name}"]) == kind
        assert torch.equal(index, index.unique())  # ascending, each once
        assert torch.equal(arrays[f"thumbnail/{name}"], images.subset(index).pixels)
        with torch.no_grad():
            logits = classifier(images.float(index[:50]))
        assert torch.equal(arrays[f"prediction/{name}"][:50], logits.argmax(1))
        assert torch.allclose(arrays[f"probability/{name}"][:50], logits.softmax(1).amax(1), atol=1e-4)
        expected = torch.full_like(index, -1) if kind == 2 else images.labels[index]
        assert torch.equal(arrays[f"label/{name}"], expected)
        for view in ("pca", "lda"):
            z = sets[name].features.z[index].double()
            places = (z - arrays[f"origin/{view}"]) @ arrays[f"axes/{view}"]
            assert torch.allclose(arrays[f"{view}/{name}"].double(), places, atol=1e-3)
            assert arrays[f"{view}/{name}"].dtype == torch.float32
    assert "density/log" not in arrays


def test_means_and_covariances_of_a_mixture_are_its_own(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject("gm")
    arrays = feature_map(made, {}).arrays
    means = made.run.classifier.head.means.detach().double()
    for view in ("pca", "lda"):
        axes, origin = arrays[f"axes/{view}"], arrays[f"origin/{view}"]
        assert torch.allclose(arrays[f"means/{view}"], (means - origin) @ axes)
        assert torch.allclose(arrays[f"covariance/{view}"], (axes.T @ axes).expand(8, 2, 2))  # of the identity
    assert torch.allclose(arrays["covariance/pca"], torch.eye(2, dtype=torch.float64).expand(8, 2, 2))
    variances = torch.arange(1.0, 129.0).view(8, 16)  # as a head with learned ones could have
    monkeypatch.setattr(GaussianMixtureHead, "variances", property(lambda self: variances))
    arrays = feature_map(made, {}).arrays
    axes = arrays["axes/pca"]
    assert torch.allclose(arrays["covariance/pca"][3], axes.T @ variances[3].double().diag() @ axes)


def test_covariances_without_a_mixture_are_those_of_the_training_features(subject: Make) -> None:
    made = subject("softmax")
    arrays = feature_map(made, {}).arrays
    features = made.features(made.run.train_images())
    for view in ("pca", "lda"):
        axes, origin = arrays[f"axes/{view}"], arrays[f"origin/{view}"]
        for k in range(8):
            z = features.z[features.y == k].double()
            assert torch.allclose(
                arrays[f"covariance/{view}"][k], axes.T @ torch.cov(z.T, correction=0) @ axes, atol=1e-6
            )
            assert torch.allclose(arrays[f"means/{view}"][k], (z.mean(0) - origin) @ axes, atol=1e-4)


def test_two_dimensions_are_shown_as_they_are_with_their_density(flat_run: Path) -> None:
    made = Subject(Run(flat_run))
    sets = known_sets(made)
    arrays = feature_map(made, sets).arrays
    assert {key.partition("/")[2] for key in arrays if key.startswith("axes/")} == {"plane"}
    assert torch.equal(arrays["plane/test"], sets["test"].features.z[arrays["index/test"]])
    x, y, density = arrays["density/x"], arrays["density/y"], arrays["density/log"]
    assert density.shape == (len(y), len(x))
    head = made.run.classifier.head
    i, j = 31, 97  # row: y, column: x
    with torch.no_grad():
        here = head.log_density(torch.stack([x[j], y[i]])[None])
    assert float(density[i, j]) == pytest.approx(float(here), rel=1e-4)
    for values, axis in ((x, 0), (y, 1)):  # the area covers what lies in it
        z = torch.cat([sets["training"].features.z, head.means.detach()])[:, axis]
        assert float(values[0]) < float(z.min())
        assert float(values[-1]) > float(z.max())


def test_the_map_of_a_model_on_another_device(flat_run: Path, elsewhere: torch.device) -> None:
    maps = [feature_map(Subject(Run(flat_run, device=device)), {}).arrays for device in ("cpu", "elsewhere")]
    torch.testing.assert_close(maps[1], maps[0])


def test_extremes_are_kept_beside_the_sample(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject("softmax")
    monkeypatch.setattr(module, "_DRAWN", dict.fromkeys(module.Kind, 10))
    monkeypatch.setattr(module, "EXTREMES", 3)
    sets = known_sets(made) | anomalous_sets(made, ["noise"])
    plain = feature_map(made, sets).arrays
    for name in sets:
        assert plain[f"drawn/{name}"].tolist() == [True] * 10
    n = len(sets["test"].features)
    rising = torch.arange(n).float()
    scores = {
        "msp/test": rising,
        "energy/test": -rising,
        "msp/noise": rising,
        "msp/training": rising,
        "msp/noise2": -rising,
    }
    scores["energy/noise"] = rising[:5]  # of what the set was at another time
    scores = {key: values.clone() for key, values in scores.items()}
    TaskResult([], scores).store(made.run.folder, "detection")
    found = feature_map(made, sets).arrays
    for name, extremes in (("training", set()), ("test", {0, 1, 2, n - 3, n - 2, n - 1}), ("noise", {0, 1, 2})):
        index, drawn = found[f"index/{name}"], found[f"drawn/{name}"]
        assert torch.equal(index[drawn], plain[f"index/{name}"])
        assert set(index.tolist()) == set(plain[f"index/{name}"].tolist()) | extremes
        assert not drawn.all() or not extremes
        assert len(found[f"thumbnail/{name}"]) == len(index)


def test_the_sample_is_random_and_the_same_for_equal_sets(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject("softmax")
    monkeypatch.setattr(module, "_DRAWN", dict.fromkeys(module.Kind, 50))
    arrays = feature_map(made, known_sets(made, "test") | anomalous_sets(made, ["noise"])).arrays
    index = arrays["index/test"]
    assert torch.equal(index, arrays["index/noise"])
    assert int(index[0]) < 50 and int(index[-1]) > len(made.run.test_images()) - 50  # noqa: PT018


def test_later_sets_lie_in_the_views_of_the_first_call(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject("softmax")
    feature_map(made, known_sets(made)).store(made.run.folder, "map")
    first = stored_arrays(made.run.folder, "map")
    monkeypatch.setattr(module, "_fit_views", lambda training, seed: pytest.fail("fitted again"))
    feature_map(made, anomalous_sets(made, ["noise"])).store(made.run.folder, "map")
    second = stored_arrays(made.run.folder, "map")
    assert second.keys() - first.keys() == {
        f"{key}/noise"
        for key in ("kind", "index", "drawn", "pca", "lda", "label", "prediction", "probability", "thumbnail")
    }
    assert all(torch.equal(second[key], values) for key, values in first.items())


def test_attacked_images_are_shown_as_attacked(subject: Make) -> None:
    made = subject("softmax")
    attack = FGSM(epsilon=0.2)
    attacked = attack_images(made, attack, limit=30)
    arrays = feature_map(made, {"fgsm": attacked.shown}).arrays
    assert int(arrays["kind/fgsm"]) == 3
    images = made.run.test_images().subset(range(30))
    expected = attack(made.run.classifier, images.float(), images.labels).x
    assert torch.equal(arrays["thumbnail/fgsm"], thumbnails((expected * 255).round().byte()))
    assert torch.equal(arrays["label/fgsm"], images.labels)


def test_two_classes_have_no_discriminant_view(small: Callable[..., Any], tmp_path: Path) -> None:
    train(small("softmax"), tmp_path / "run")
    made = Subject(Run(tmp_path / "run"))
    arrays = feature_map(made, known_sets(made)).arrays
    assert "pca/test" in arrays
    assert not any("lda" in key for key in arrays)


def test_features_that_are_not_finite_have_no_place(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject("softmax")
    sets = known_sets(made, "test")
    z = sets["test"].features.z.clone()
    z[3, 2] = float("nan")
    broken = module.ShownSet(sets["test"].kind, FeatureSet(z, sets["test"].features.logits), sets["test"].images)
    with pytest.raises(ValueError, match=rf"features of test are not finite for 1 of {len(z)} images"):
        feature_map(made, {"test": broken})
