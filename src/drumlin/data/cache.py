"""Decoded folders, kept as one file, so that a set of many small files is decoded once."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from drumlin._io import hash_json
from drumlin._tensors import read_tensors, write_tensors
from drumlin.data.adaptation import RULE, Size, target_size
from drumlin.data.decoding import decode
from drumlin.data.folders import Tree
from drumlin.data.roots import user_cache


def decoded(tree: Tree, *, channels: int | None, size: Size, root: Path) -> UInt8[Tensor, "n c h w"]:
    """Return the images of `tree` as `decode` does, from the cache where they are in it whole, and put there otherwise.

    An entry is keyed by the folder, name, size and time of change of every file, channels, size and `RULE`; it carries the SHA-256 of
    its content, and one that is damaged in any way is made anew. It lies in `.drumlin-cache/` under the data root, or among
    the user's caches if that cannot be written; it may be deleted at any time.

    Args:
        tree: the files.
        channels: 1, 3, or None for as they are.
        size: a side in pixels, (height, width), or None for as they are.
        root: the data root.

    Raises:
        ValueError: as `decode`.
    """
    key = hash_json([RULE, channels, target_size(size), str(tree.base.resolve()), tree.key])
    # A root that is not there was not meant to be made by reading a folder somewhere else.
    places = [root / ".drumlin-cache"] * root.is_dir() + [user_cache() / "decoded"]
    files = [place / f"{key[:32]}.safetensors" for place in places]
    for file in files:
        pixels = _read(file, key, len(tree))
        if pixels is not None:
            return pixels
    pixels = decode(tree.paths, channels=channels, size=size)
    for file in files:
        try:
            write_tensors(file, {"pixels": pixels}, {"key": key})
            return pixels
        except OSError:  # read-only or full: the next place may do
            continue
    warnings.warn(
        f"decoded images can be kept neither in {' nor in '.join(map(str, places))}; they are decoded each time"
    )
    return pixels


def _read(file: Path, key: str, n: int) -> Tensor | None:
    """Return the images in the cache entry `file`, or None if it is not there, not of `key`, or not whole."""
    try:
        tensors, about = read_tensors(file)
    except (OSError, ValueError):
        return None
    pixels = tensors.get("pixels")
    if about.get("key") != key or pixels is None or pixels.dtype != torch.uint8 or pixels.ndim != 4 or len(pixels) != n:
        return None
    return pixels
