"""What tasks share: a run with the facts every record repeats, and what comes out of a task."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from drumlin import _io
from drumlin._tensors import read_tensors, write_tensors
from drumlin.data import ImageFiles, Images
from drumlin.features import FeatureRequest, FeatureSet, extract
from drumlin.results import Record, append, read
from drumlin.training.environment import environment
from drumlin.training.runs import Run


@dataclass(frozen=True)
class TaskResult:
    """What a task measured.

    Attributes:
        records: numbers, one a record.
        arrays: maps, curves and scores by name, for plots; kept in the run's `arrays/`.
    """

    records: list[Record]
    arrays: dict[str, Tensor] = field(default_factory=dict)

    def store(self, folder: Path, name: str) -> None:
        """Append the records to the run's `results.jsonl`, and write the arrays to `arrays/NAME.safetensors`.

        Arrays of earlier calls under other names stay, as their records do. A record is left out if the last one of the same
        measurement has the same value, interval and n.
        """
        if self.arrays:
            write_tensors(_arrays(folder, name), stored_arrays(folder, name) | self.arrays)
        path = folder / "results.jsonl"
        known = {record.key: _measured(record) for record in read(path)} if path.is_file() else {}
        append(path, [record for record in self.records if known.get(record.key) != _measured(record)])


class Subject:
    """A finished run as the subject of measurements: its features, computed once, and the facts its records repeat.

    Args:
        run: the run.
        recipe: name of the recipe that asks, None if a person does.
        scale: "paper", "cpu" or "smoke".
    """

    def __init__(self, run: Run, *, recipe: str | None = None, scale: str = "cpu") -> None:
        self.run = run
        self._recipe, self._scale = recipe, scale
        self._begin = time.perf_counter()
        settings = run.settings
        run.require_finished()
        precision = run.classifier.precision
        self.trained_with = _facts(_environment(run.folder / "environment.json"), precision)
        self._facts: dict[str, Any] = _facts(environment(), precision) | {
            "run": run.identity,
            "recipe": recipe,
            "data": settings.data.name,
            "head": settings.head.name,
            "backbone": settings.backbone.name,
            "seed": settings.seed,
            "scale": scale,
        }

    def like(self, run: Run) -> Subject:
        """Return another run as the subject of the same recipe at the same scale."""
        return Subject(run, recipe=self._recipe, scale=self._scale)

    def begin(self) -> None:
        """Start the clock: a task calls this first, and its records say how long it took until then."""
        self._begin = time.perf_counter()

    def features(self, images: Images | ImageFiles, request: FeatureRequest | None = None) -> FeatureSet:
        """Return the features of `images`, and what `request` asks for beside; cached in the run."""
        wanted = request or FeatureRequest()
        return extract(self.run.classifier, images, hidden=wanted.hidden, draws=wanted.draws, cache=self.run.features)

    def record(self, task: str, metric: str, value: float | None, **others: Any) -> Record:
        """Return a record of this run; `others` are further fields of `Record`. What is no finite number is recorded as None."""
        seconds = time.perf_counter() - self._begin
        number = float(value) if value is not None and math.isfinite(value) else None
        facts: dict[str, Any] = {"wall_seconds": seconds} | self._facts | others
        return Record(task=task, metric=metric, value=number, **facts)


def _measured(record: Record) -> tuple[float | None, ...]:
    return record.value, record.ci_low, record.ci_high, record.n


def stored_records(run: Run) -> list[Record]:
    """Return all records in the run's `results.jsonl`; none if there is no such file."""
    path = run.folder / "results.jsonl"
    return read(path) if path.is_file() else []


def stored_arrays(folder: Path, name: str) -> dict[str, Tensor]:
    """Return the arrays that results called `name` stored in a run's folder; none if the file is not there or not whole."""
    try:
        return read_tensors(_arrays(folder, name))[0]
    except (FileNotFoundError, ValueError):
        return {}


def _arrays(folder: Path, name: str) -> Path:
    return folder / "arrays" / f"{name}.safetensors"


def _facts(environment: dict[str, Any], precision: str) -> dict[str, Any]:
    """Return of an environment what a record has: commit, versions and processor; the network's precision with them."""
    versions = {name: version for name, version in environment["versions"].items() if version is not None}
    facts = {"python": environment["python"], **versions, "processor": environment["processor"], "precision": precision}
    return {"commit": environment["commit"], "environment": facts}


def _environment(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path} is missing: what the run was made with is part of every record")
    values = _io.read_json(path)
    needed = {"commit", "python", "versions", "processor"}
    if not isinstance(values, dict) or not needed <= values.keys():
        raise ValueError(f"{path} does not say what the run was made with: it needs {', '.join(sorted(needed))}")
    return values


def as_arrays(values: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return arrays and tensors as tensors, for `TaskResult.arrays`."""
    return {name: torch.as_tensor(value).detach().cpu() for name, value in values.items()}
