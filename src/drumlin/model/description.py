"""`model.json`: what a saved model is, beside its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drumlin import _io

SCHEMA = 1
"""The version of `model.json`; others are refused."""


def read_description(folder: Path | str) -> dict[str, Any]:
    """Return what `model.json` in `folder` says.

    Raises:
        ValueError: it is not there, damaged, of another version, or another program's.
    """
    path = Path(folder) / "model.json"
    if not path.is_file():
        raise ValueError(
            f"{folder} holds no trained model (no model.json): give the folder that `drumlin train --out` wrote"
        )
    description: dict[str, Any] = _io.read_json(path)
    _io.check_version(description, path, SCHEMA)
    _io.check_seal(description, path)
    return description
