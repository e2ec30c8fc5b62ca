from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from drumlin.data import load
from drumlin.model import Classifier
from drumlin.settings.run import RunSettings
from drumlin.training import train
from drumlin.training.creation import create

Small = Callable[..., RunSettings]
FITTED = {"feature_scale": "fitted"}


def made(settings: RunSettings) -> Classifier:
    return create(settings, load("digits:0,1", "train"))


def mean_norms(classifier: Classifier) -> tuple[float, float]:
    """Return the mean norm of features in training mode, and of the head's means."""
    x, _ = next(load("digits:0,1", "train").batches(128))
    means: Any = classifier.head.class_means
    with torch.no_grad():
        return float(classifier.train().features(x).norm(dim=1).mean()), float(means.norm(dim=1).mean())


@pytest.mark.parametrize("head", ["gm", "lgm", "max-mahalanobis"])
def test_fitted_features_begin_where_the_means_of_the_head_are(small: Small, head: str) -> None:
    found, wanted = mean_norms(made(small(head, backbone=FITTED)))
    assert found == pytest.approx(wanted, rel=0.1)  # other images than those it was fitted to
    drawn, wanted = mean_norms(made(small(head)))
    assert drawn != pytest.approx(wanted, rel=0.5)


def test_fitting_draws_nothing_and_leaves_the_rest_as_it_is(small: Small) -> None:
    plain, fitted = made(small()).state_dict(), made(small(backbone=FITTED)).state_dict()
    scale = fitted.pop("backbone.scale")
    torch.testing.assert_close(fitted, plain, rtol=0, atol=0)
    torch.testing.assert_close(made(small(backbone=FITTED)).state_dict()["backbone.scale"], scale)


@pytest.mark.parametrize(
    ("head", "why"),
    [("softmax", "SoftmaxHead has no class means"), ("center", "CenterHead begins with all of them at the origin")],
)
def test_heads_that_say_nothing_of_scale(small: Small, tmp_path: Path, head: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"{why}: give a number, or 1 for none"):
        train(small(head, backbone=FITTED), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_scale_stays_in_training_and_comes_back_with_the_model(small: Small, tmp_path: Path) -> None:
    settings = small(backbone=FITTED)
    begun = float(made(settings).state_dict()["backbone.scale"])
    trained = train(settings, tmp_path / "run")
    loaded = Classifier.load(tmp_path / "run")
    assert float(trained.state_dict()["backbone.scale"]) == float(loaded.state_dict()["backbone.scale"])
    assert float(loaded.state_dict()["backbone.scale"]) == pytest.approx(begun, rel=0.2)  # of nine tenths of the images
    x, _ = next(load("digits:0,1", "test").batches(50))
    with torch.no_grad():
        assert torch.equal(loaded(x), trained(x))
