"""What a head can only fit at the end of the training is in the stored model."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from drumlin._tensors import read_tensors
from drumlin.features import extract
from drumlin.heads import SoftmaxHead
from drumlin.settings.run import RunSettings
from drumlin.training import Run, train

Small = Callable[..., RunSettings]
ALONE = {"head": "contrastive", "head_fields": {"softmax_weight": 0.0}}


@pytest.fixture(scope="module")
def finished(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finish") / "run"
    train(small(**ALONE), out)
    return out


def test_the_stored_means_are_those_of_the_training_features(finished: Path) -> None:
    run = Run(finished)
    features = extract(run.classifier, run.train_images())
    assert features.y is not None
    expected = torch.stack([features.z[features.y == k].double().mean(0) for k in range(2)])
    found = load_file(finished / "model.safetensors")["head.means"]
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)
    running = read_tensors(finished / "checkpoint" / "last.safetensors")[0]["model.head.means"]
    assert not torch.allclose(running, found, rtol=1e-4)  # until then they were another thing
    error = (features.prediction != features.y).float().mean()
    assert error < 0.1


def test_killed_after_the_last_checkpoint_it_still_finishes(finished: Path, small: Small) -> None:
    before = load_file(finished / "model.safetensors")
    for name in ("model.json", "model.safetensors"):
        (finished / name).unlink()
    train(small(**ALONE), finished, resume=True)
    after = load_file(finished / "model.safetensors")
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_is_given_all_training_features_in_evaluation_mode(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def finish(head, features):
        assert not head.training
        given.extend((len(z), z.requires_grad, y) for z, y in features)

    monkeypatch.setattr(SoftmaxHead, "finish", finish)
    train(small("softmax", epochs=1), tmp_path / "run")
    images = Run(tmp_path / "run").train_images()
    assert sum(n for n, _, _ in given) == len(images)
    assert not any(graph for _, graph, _ in given)
    assert torch.equal(torch.cat([y for _, _, y in given]), images.labels)
