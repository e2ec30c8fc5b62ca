"""A training's state in one file, whole or not there: weights, buffers, optimiser, epoch and history. No pickle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from drumlin._tensors import read_tensors, write_tensors
from drumlin.model import Classifier

CHECKPOINT = "checkpoint"
"""The folder of a run that holds its checkpoint."""
_FILE = "last.safetensors"
_SCHEMA = 1


@dataclass(frozen=True)
class Progress:
    """How far a training has come: epochs done, and the record of each."""

    epoch: int
    history: list[dict[str, Any]]


def save_checkpoint(
    folder: Path, classifier: Classifier, optimizer: torch.optim.Optimizer, progress: Progress, settings_hash: str
) -> None:
    """Replace the checkpoint in `folder` by the present state, atomically."""
    tensors = {f"model.{name}": value for name, value in classifier.state_dict().items()}
    plain: dict[str, dict[str, Any]] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                plain.setdefault(str(index), {})[key] = value
    about = {
        "schema": _SCHEMA,
        "epoch": progress.epoch,
        "history": progress.history,
        "settings": settings_hash,
        "optimizer": plain,
    }
    write_tensors(checkpoint_file(folder), tensors, about)


def checkpoint_file(folder: Path) -> Path:
    """Return the path of the checkpoint in `folder`, there or not."""
    return folder / _FILE


def load_checkpoint(
    folder: Path, classifier: Classifier, optimizer: torch.optim.Optimizer, settings_hash: str
) -> Progress:
    """Bring `classifier` and `optimizer` to the state saved in `folder`, and return how far it had come; 0 if nothing is there.

    Raises:
        ValueError: the file is damaged, of another version, or of a run with other settings.
    """
    path = checkpoint_file(folder)
    if not path.is_file():
        return Progress(0, [])
    tensors, about = read_tensors(path)
    if about.get("schema") != _SCHEMA:
        raise ValueError(f"{path} is of version {about.get('schema')}; this drumlin reads version {_SCHEMA}")
    if about["settings"] != settings_hash:
        raise ValueError(f"{path} was written with other settings: resume with the same, or give another --out")
    prefix = "model."
    classifier.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    states: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in about["optimizer"].items()}
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            like = parameters[int(index)]
            # in the parameter's own memory format, as the optimiser made it
            kept = torch.empty_like(like, dtype=value.dtype).copy_(value) if value.shape == like.shape else value
            states.setdefault(int(index), {})[key] = kept
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    return Progress(about["epoch"], about["history"])


def remove_partial(folder: Path) -> None:
    """Remove the files that were being written when a process was killed; they are as large as a checkpoint."""
    for stale in folder.glob(".*.partial"):
        stale.unlink(missing_ok=True)
