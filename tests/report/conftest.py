"""Small runs, written by the writers that write real ones, of random numbers that nothing had to be trained for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drumlin import _io
from drumlin._tensors import write_tensors
from drumlin.detectors.artifact import write_artifact
from drumlin.model.description import SCHEMA
from drumlin.report.contents import Kind, RunContents
from drumlin.report.reading import read_run
from drumlin.results import Record, append
from drumlin.training.runs import write_config

SETS = {
    "training": Kind.TRAINING,
    "test": Kind.TEST,
    "noise": Kind.UNKNOWN,
    "folder:a/b": Kind.UNKNOWN,
    "fgsm(epsilon=0.1)": Kind.ATTACKED,
}
PARTS = frozenset({"evaluated", "calibrated", "detected", "mapped"})


class RunWriter:
    """Writes a run's folder; what it is made of can be changed before `write`."""

    def __init__(
        self, folder: Path, settings: Any, *, names: tuple[str, ...] = ("cat", "dog", "owl"), n: int = 40, seed: int = 0
    ) -> None:
        self.folder, self.settings, self.names, self.n = folder, settings, names, n
        self.random = np.random.default_rng(seed)
        self.sets = dict(SETS)
        self.size, self.channels = (8, 8), 1
        self.views = ("pca", "lda")
        self.scores: dict[str, np.ndarray] = {}
        self.records: list[Record] = []

    def write(self, parts: frozenset[str] = PARTS) -> Path:
        """Write all files, and those of `parts`."""
        folder, k = self.folder, len(self.names)
        write_config(folder, self.settings)
        _io.write_json(
            folder / "environment.json",
            {"python": "3.11.7", "versions": {"torch": "2.6"}, "command": ["drumlin", "train"]},
        )
        _io.write_json(folder / "model.json", _io.sealed({"schema": SCHEMA, "class_names": list(self.names)}))
        epochs = [
            {
                "epoch": e,
                "loss": 3 / e,
                "terms": {"classification": 2 / e, "likelihood": 1 / e},
                "train_error": 0.5 / e,
                "holdout_error": 0.6 / e,
            }
            for e in (1, 2, 3)
        ]
        (folder / "training.jsonl").write_text("".join(f"{json.dumps(epoch)}\n" for epoch in epochs))
        if "evaluated" in parts:
            confusion = torch.from_numpy(self.random.integers(0, 3, (k, k)))
            confusion.fill_diagonal_(20)
            means = torch.from_numpy(self.random.normal(0, 3, (k, 5)))
            write_tensors(folder / "arrays" / "classification.safetensors", {"confusion": confusion})
            write_tensors(
                folder / "arrays" / "geometry.safetensors", {"distances": torch.cdist(means, means), "means": means}
            )
            self.record("classification", "error", 0.1, ci_low=0.05, ci_high=0.2)
            self.record(
                "geometry", "mean-distance", 3.0, unit="feature units", published=2.7, published_source="T eq. 16"
            )
        if "calibrated" in parts:
            description = {"false_alarm": 0.1, "origin": {"detector": "k-density"}}
            write_artifact(folder, "calibration", {"scores": torch.arange(99, dtype=torch.float64)}, description)
        if "detected" in parts:
            for name, kind in self.sets.items():
                if kind is not Kind.TRAINING:
                    for detector in ("k-density", "msp"):
                        scores = self.random.normal(40 if kind is Kind.TEST else 80, 20, self.n).clip(0)
                        self.scores.setdefault(f"{detector}/{name}", scores)
            write_tensors(folder / "arrays" / "detection.safetensors", _tensors(self.scores))
        if "mapped" in parts:
            write_tensors(folder / "arrays" / "map.safetensors", _tensors(self.map()))
        append(folder / "results.jsonl", self.records)
        return folder

    def contents(self, parts: frozenset[str] = PARTS) -> RunContents:
        """Write the run and read it back."""
        return read_run(self.write(parts))

    def record(self, task: str, metric: str, value: float | None, unit: str = "fraction", **others: Any) -> None:
        """Add a record."""
        facts = {"run": "r", "data": self.settings.data.name, "split": "test", "n": self.n} | others
        self.records.append(Record(task=task, metric=metric, value=value, unit=unit, **facts))

    def map(self) -> dict[str, np.ndarray]:
        """Return the arrays of the map."""
        k, n, random = len(self.names), self.n, self.random
        arrays: dict[str, np.ndarray] = {}
        centres = random.normal(0, 4, (k, 2)).astype(np.float32)
        for view in self.views:
            arrays[f"means/{view}"] = centres
            arrays[f"covariance/{view}"] = np.tile(np.eye(2, dtype=np.float32), (k, 1, 1))
        for name, kind in self.sets.items():
            label = random.integers(0, k, n)
            arrays[f"kind/{name}"] = np.array(int(kind))
            arrays[f"index/{name}"] = np.arange(n)
            arrays[f"drawn/{name}"] = np.arange(n) < n - 2
            arrays[f"label/{name}"] = np.full(n, -1) if kind is Kind.UNKNOWN else label
            arrays[f"prediction/{name}"] = random.integers(0, k, n) if kind is Kind.ATTACKED else label
            arrays[f"probability/{name}"] = random.uniform(0.3, 1, n).astype(np.float32)
            arrays[f"thumbnail/{name}"] = random.integers(0, 256, (n, self.channels, *self.size)).astype(np.uint8)
            for view in self.views:
                arrays[f"{view}/{name}"] = (centres[label] + random.normal(0, 1, (n, 2))).astype(np.float32)
        if self.views == ("plane",):
            grid = np.linspace(-5, 5, 12)
            arrays |= {"density/x": grid, "density/y": grid, "density/log": -np.add.outer(grid**2, grid**2) / 2}
        return arrays


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    # copies: safetensors stores no two names for one memory
    return {name: torch.tensor(values) for name, values in arrays.items()}


@pytest.fixture
def run_writer(tmp_path: Path, small: Callable[..., Any]) -> Callable[..., RunWriter]:
    """Make the writer of a run in a folder of its own; further arguments are `RunWriter`'s."""

    def make(name: str = "run", data: str = "digits", **others: Any) -> RunWriter:
        return RunWriter(tmp_path / name, small(data=data), **others)

    return make


@pytest.fixture
def contents(run_writer: Callable[..., RunWriter]) -> RunContents:
    """A whole run."""
    return run_writer().contents()
