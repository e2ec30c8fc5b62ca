"""Tensors and what they mean, as two files that are only ever taken together: STEM.safetensors and STEM.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from drumlin import _io

SCHEMA = 1


def artifact_files(folder: Path | str, stem: str) -> tuple[Path, Path]:
    """Return the paths of the two files: tensors and description.

    >>> [path.name for path in artifact_files("run", "detector")]
    ['detector.safetensors', 'detector.json']
    """
    return Path(folder) / f"{stem}.safetensors", Path(folder) / f"{stem}.json"


def write_artifact(folder: Path | str, stem: str, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write both files, each whole or not at all; the second holds the hash of the first, and of itself.

    Whatever moment a crash comes at, `read_artifact` finds a pair that belongs together, or refuses.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    weights, text = artifact_files(folder, stem)
    with _io.atomic_path(weights) as temporary:
        try:
            save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, temporary)
        except SafetensorError as error:  # its own kind, also for a full disk
            raise OSError(f"{weights} cannot be written: {error}") from None
    content = {"schema": SCHEMA, "tensors": _io.hash_file(weights), **description}
    _io.write_json(text, _io.sealed(content))


def read_artifact(folder: Path | str, stem: str, remedy: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return description and tensors as `write_artifact` got them; tensors on the CPU. Reading never runs code.

    Args:
        folder, stem: as written.
        remedy: what the user can do if this fails, for the messages.

    Raises:
        ValueError: a file is missing, damaged, of another version, or not the other one's; the message names it.

    >>> import tempfile, torch
    >>> folder = tempfile.mkdtemp()
    >>> write_artifact(folder, "thing", {"a": torch.ones(1)}, {"colour": "red"})
    >>> read_artifact(folder, "thing", "make it again")
    ({'colour': 'red'}, {'a': tensor([1.])})
    """
    weights, text = artifact_files(folder, stem)
    for path in (weights, text):
        if not path.is_file():
            raise ValueError(f"{path} is missing: nothing was saved there, or not whole; {remedy}")
    description = _io.read_json(text)
    _io.check_version(description, text, SCHEMA, remedy)
    try:
        _io.check_seal(description, text)
    except ValueError as error:
        raise ValueError(f"{error}; {remedy}") from None
    if _io.hash_file(weights) != description["tensors"]:
        raise ValueError(
            f"{weights} is damaged or not the file that {text.name} describes (its hash differs); {remedy}"
        )
    try:
        tensors = load_file(weights)
    except SafetensorError as error:
        raise ValueError(f"{weights} cannot be read: {error}; {remedy}") from None
    return {key: value for key, value in description.items() if key not in ("schema", "tensors", "content")}, tensors
