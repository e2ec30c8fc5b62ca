"""Runs on the embedded digits, trained once a session and shared by the rooms above training."""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from elsewhere import lacking, register

register()


def _settings(head: str = "gm", data: str = "digits:0,1", seed: int = 0, holdout: float = 0.1, **parts: Any) -> Any:
    from drumlin.settings.backbones import backbone_settings
    from drumlin.settings.data import DataSettings
    from drumlin.settings.heads import head_settings
    from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings

    backbone = {"name": "digits-cnn", "width": 8, "feature_dim": 16} | parts.pop("backbone", {})
    optimizer = OptimizerSettings(**{"lr": 0.05} | parts.pop("optimizer", {}))
    schedule = ScheduleSettings(**parts.pop("schedule", {}))
    head_fields = parts.pop("head_fields", {})
    data_fields = parts.pop("data_fields", {})
    training = {"epochs": 2, "batch_size": 32, "precision": "float32", "device": "cpu"} | parts
    return RunSettings(
        data=DataSettings(name=data, holdout=holdout, **data_fields),
        head=head_settings(head, **head_fields),
        backbone=backbone_settings(**backbone),
        training=dataclasses.replace(TrainingSettings(**training), optimizer=optimizer, schedule=schedule),
        seed=seed,
    )


@pytest.fixture(scope="session")
def small() -> Callable[..., Any]:
    """Make settings of a training that takes well under a second: zeros and ones, two epochs of a narrow network."""
    return _settings


@pytest.fixture(scope="session")
def digits_runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Train a head on the digits 0-7, once a session, and return its run. Tests must leave it as it is but for its caches."""
    from drumlin.training import train

    place, runs = tmp_path_factory.mktemp("runs"), {}

    def run(head: str) -> Path:
        if head not in runs:
            train(_settings(head, "digits:0-7", holdout=0.2, epochs=6), place / head)
            runs[head] = place / head
        return runs[head]

    return run


@pytest.fixture
def copied(digits_runs: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a copy of a digits run that the test may change."""

    def copy(head: str) -> Path:
        return Path(shutil.copytree(digits_runs(head), tmp_path / f"run-{head}"))

    return copy


@pytest.fixture(params=["as CUDA", "as MPS"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A second device to compute on (`tests/elsewhere.py`), one that has float64 and one that has not."""
    import torch

    with lacking(*[torch.float64] * (request.param == "as MPS")) as there:
        yield there
