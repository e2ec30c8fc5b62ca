"""A run's folder → `RunContents`; whatever is wrong with a file is said with its name and what would do."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from drumlin import _io
from drumlin._tensors import read_tensors
from drumlin.report.contents import (
    Array,
    Calibration,
    Density,
    FeatureMap,
    Kind,
    Points,
    RunContents,
    View,
)
from drumlin.results import Record, latest, read

VERSIONS = {"config.json": 1, "model.json": 1, "calibration.json": 1}
"""The version of each file that is read here; a test holds them to those that are written."""

_Arrays = dict[str, npt.NDArray[Any]]


def read_run(folder: Path) -> RunContents:
    """Return the contents of a finished run's folder. What has not been measured yet is None or empty.

    Raises:
        ValueError: not a run; unfinished; a file that is damaged or of another version; the message says what would do.
    """
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} is not a run (no config.json): give the folder that `drumlin train --out` wrote")
    settings = _described(folder, "config.json")
    for part in ("data", "head", "backbone"):
        if not isinstance(settings.get(part), dict) or "name" not in settings[part]:
            raise ValueError(f"{folder / 'config.json'} does not describe a run of this version: {part} is missing")
    if not (folder / "model.json").is_file():
        raise ValueError(
            f"the training in {folder} has not finished: go on with `{command('train', '--out', folder, '--resume')}`"
        )
    class_names = tuple(str(name) for name in _described(folder, "model.json")["class_names"])
    records, notes = _records(folder / "results.jsonl")
    arrays = {name: _arrays(folder, name) for name in ("classification", "geometry", "detection", "map")}
    confusion, distances = arrays["classification"].get("confusion"), arrays["geometry"].get("distances")
    _check_classes(folder, class_names, confusion, distances)
    return RunContents(
        folder=folder,
        name=folder.resolve().name,
        settings=settings,
        environment=_environment(folder / "environment.json"),
        class_names=class_names,
        epochs=_epochs(folder / "training.jsonl"),
        records=records,
        calibration=_calibration(folder),
        confusion=confusion,
        distances=None if distances is None else distances.astype(np.float64),
        scores=_scores(arrays["detection"]),
        map=_map(folder / "arrays" / "map.safetensors", arrays["map"]),
        notes=notes,
    )


def command(*words: object) -> str:
    """Return a drumlin command as one types it.

    >>> from pathlib import Path
    >>> command("evaluate", Path("my run"))
    "drumlin evaluate 'my run'"
    """
    return shlex.join(["drumlin", *map(str, words)])


def _described(folder: Path, name: str) -> dict[str, Any]:
    """Return a sealed JSON object without its seal and version."""
    path = folder / name
    values = _io.read_json(path)
    _io.check_version(values, path, VERSIONS[name])
    _io.check_seal(values, path)
    return {key: value for key, value in values.items() if key not in ("schema", "content")}


def _environment(path: Path) -> dict[str, Any]:
    values = _io.read_json(path) if path.is_file() else {}
    if not isinstance(values, dict):
        raise ValueError(f"{path} does not say what the run was made with: an object was expected")
    return values


def _records(path: Path) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    if not path.is_file():
        return (), ()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        records = tuple(latest(read(path)))
    return records, tuple(str(warning.message) for warning in caught)


def _epochs(path: Path) -> tuple[dict[str, Any], ...]:
    if not path.is_file():
        return ()
    epochs = tuple(_io.read_json_lines(path))
    if not all(isinstance(epoch, dict) and "epoch" in epoch for epoch in epochs):
        raise ValueError(f"{path}: every line must be an object that says its epoch; the file is damaged")
    return epochs


def _calibration(folder: Path) -> Calibration | None:
    if not (folder / "calibration.json").is_file():
        return None
    about = _described(folder, "calibration.json")
    remedy = f"calibrate again: {command('calibrate', folder, '--false-alarm', '0.01')}"
    path = folder / "calibration.safetensors"
    if not path.is_file() or _io.hash_file(path) != about["tensors"]:
        raise ValueError(f"{path} is missing, damaged or not the file that calibration.json describes; {remedy}")
    try:
        scores = load_file(path)["scores"].astype(np.float64)
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read: {error}; {remedy}") from None
    if not about["origin"]:
        raise ValueError(f"{folder / 'calibration.json'} does not say which detector it belongs to; {remedy}")
    return Calibration(about["origin"]["detector"], about["false_alarm"], np.sort(scores))


def _arrays(folder: Path, name: str) -> _Arrays:
    path = folder / "arrays" / f"{name}.safetensors"
    if not path.is_file():
        return {}
    return {key: tensor.numpy() for key, tensor in read_tensors(path)[0].items()}


def _scores(arrays: _Arrays) -> dict[str, dict[str, Array]]:
    scores: dict[str, dict[str, Array]] = {}
    for key, values in sorted(arrays.items()):
        detector, _, name = key.partition("/")  # a set's name may have slashes
        scores.setdefault(detector, {})[name] = values.astype(np.float64)
    return scores


def _map(path: Path, arrays: _Arrays) -> FeatureMap | None:
    parts = _by_first(arrays)
    if "kind" not in parts:
        return None
    try:
        views = {name: View(means, parts["covariance"][name]) for name, means in parts["means"].items()}
        sets = [_points(parts, name, Kind(int(kind)), views) for name, kind in parts["kind"].items()]
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is not whole ({error}): remove it, and evaluate again") from None
    grid = parts.get("density")
    density = Density(grid["x"], grid["y"], grid["log"]) if grid else None
    return FeatureMap(views, tuple(sorted(sets, key=lambda points: (points.kind, points.name))), density)


def _points(parts: Mapping[str, _Arrays], name: str, kind: Kind, views: Mapping[str, View]) -> Points:
    return Points(
        name=name,
        kind=kind,
        index=parts["index"][name],
        drawn=parts["drawn"][name].astype(bool),
        label=parts["label"][name],
        prediction=parts["prediction"][name],
        probability=parts["probability"][name].astype(np.float64),
        thumbnails=parts["thumbnail"][name].transpose(0, 2, 3, 1),
        views={view: parts[view][name].astype(np.float64) for view in views},
    )


def _by_first(arrays: _Arrays) -> dict[str, _Arrays]:
    parts: dict[str, _Arrays] = {}
    for key, values in arrays.items():
        first, _, rest = key.partition("/")
        parts.setdefault(first, {})[rest] = values
    return parts


def _check_classes(folder: Path, names: tuple[str, ...], *squares: npt.NDArray[Any] | None) -> None:
    for square in squares:
        if square is not None and square.shape != (len(names), len(names)):
            raise ValueError(
                f"{folder}: arrays for {square.shape[0]} classes beside a model of {len(names)}: evaluate again with "
                f"`{command('evaluate', folder)}`"
            )
