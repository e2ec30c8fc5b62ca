"""Trainings on a device that is not the CPU."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from drumlin.settings.heads import HEADS
from drumlin.settings.run import RunSettings
from drumlin.training import Run, train

pytestmark = pytest.mark.slow
Small = Callable[..., RunSettings]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


@pytest.mark.parametrize("head", list(HEADS))
def test_every_head_trains_there_as_here(small: Small, tmp_path: Path, elsewhere: torch.device, head: str) -> None:
    train(small(head, "digits:0-3", epochs=1), tmp_path / "here")
    trained = train(small(head, "digits:0-3", epochs=1, device="elsewhere"), tmp_path / "there")
    assert trained.device == elsewhere
    torch.testing.assert_close(weights(tmp_path / "there"), weights(tmp_path / "here"), rtol=1e-3, atol=1e-4)
    (here,), (there,) = (Run(tmp_path / place).history for place in ("here", "there"))
    assert there["loss"] == pytest.approx(here["loss"], rel=1e-4)
    assert there["holdout_error"] == here["holdout_error"]


def test_balanced_classes_and_clipped_gradients(small: Small, tmp_path: Path, elsewhere: torch.device) -> None:
    options = {"class_weights": "balanced", "grad_clip": 0.5}
    train(small(**options), tmp_path / "here")
    train(small(device="elsewhere", **options), tmp_path / "there")
    torch.testing.assert_close(weights(tmp_path / "there"), weights(tmp_path / "here"), rtol=1e-3, atol=1e-4)


def test_a_training_is_gone_on_with_where_it_was(small: Small, tmp_path: Path, elsewhere: torch.device) -> None:
    settings, whole, killed = small(device="elsewhere"), tmp_path / "whole", tmp_path / "killed"
    train(settings, whole)

    class KilledError(Exception):
        pass

    def stop(*given: object) -> dict[str, float]:
        raise KilledError

    with pytest.raises(KilledError):
        train(settings, killed, probe=stop)
    train(settings, killed, resume=True)
    assert {name: value.tolist() for name, value in weights(killed).items()} == {
        name: value.tolist() for name, value in weights(whole).items()
    }
    assert train(settings, killed, resume=True).device == elsewhere  # nothing left to do


def test_a_run_computes_where_it_is_told_to(small: Small, tmp_path: Path, elsewhere: torch.device) -> None:
    train(small(), tmp_path / "run")
    assert Run(tmp_path / "run").classifier.device == torch.device("cpu")
    assert Run(tmp_path / "run", device="elsewhere").classifier.device == elsewhere
    with pytest.raises(ValueError, match="device 'nosuch' cannot be used"):
        _ = Run(tmp_path / "run", device="nosuch").classifier
