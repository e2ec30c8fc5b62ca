"""Files of tensors that are whole or refused: safetensors with a checksum of their content. No pickle, no code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from drumlin import _io

_ENTRY = "drumlin"


def hash_tensors(*tensors: Tensor, about: str = "") -> str:
    """SHA-256 of the shapes, types and values of `tensors` and of the text `about`; hexadecimal.

    >>> hash_tensors(torch.zeros(1, 2)) == hash_tensors(torch.zeros(2, 1))
    False
    """
    digest = hashlib.sha256(repr((about, [(tuple(t.shape), str(t.dtype)) for t in tensors])).encode())
    for tensor in tensors:
        # flat: hashlib takes no other buffer; as bytes: numpy knows no bfloat16
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any] | None = None) -> None:
    """Write `tensors` and the JSON values `about` to one safetensors file, atomically, with a checksum of both.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(dict(about or {}), allow_nan=False)
    with _io.atomic_path(path) as temporary:
        try:
            # One entry: of several, safetensors writes them in another order each time, and equal content would differ in bytes.
            save_file(whole, temporary, {_ENTRY: json.dumps([_checksum(whole, text), text])})
        except SafetensorError as error:  # its own kind, also for a full disk
            raise OSError(f"{path} cannot be written: {error}") from None


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and JSON values that `write_tensors` wrote.

    Raises:
        ValueError: the file is damaged, or not one of drumlin's; the message names it.
        FileNotFoundError: there is no such file.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.safetensors"
    >>> write_tensors(path, {"x": torch.ones(2)}, {"epoch": 3})
    >>> read_tensors(path)
    ({'x': tensor([1., 1.])}, {'epoch': 3})
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing")
    try:
        with safe_open(path, "pt") as file:
            entry = (file.metadata() or {}).get(_ENTRY, '["", ""]')
            # cloned: the originals are mapped to the file and would change with it
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not a dictionary
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}); remove it, or restore it from a copy") from None
    try:
        checksum, text = json.loads(entry)
    except (ValueError, TypeError):
        checksum, text = "", ""
    if _checksum(tensors, text) != checksum:
        raise ValueError(f"{path} is damaged (its checksum differs); remove it, or restore it from a copy")
    return tensors, json.loads(text)


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    names = sorted(tensors)
    return hash_tensors(*(tensors[name] for name in names), about=repr((names, text)))
