"""From files to images: decoded into memory, or left as files if they are too large for it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from drumlin.data.cache import decoded
from drumlin.data.decoding import load_image
from drumlin.data.files import ImageFiles
from drumlin.data.folders import Tree
from drumlin.data.images import Images

AnyImages: TypeAlias = Images | ImageFiles
"""Labelled images, in memory or as files."""

MAX_DECODED_BYTES = 2 << 30
"""Sets of image files that are larger than this when decoded are not kept in memory (`ImageFiles`)."""

_PROBES = 256


def open_tree(
    tree: Tree, *, name: str, split: str, note: str, root: Path, channels: int | None, size: tuple[int, int] | None
) -> AnyImages:
    """Return the images of `tree`: decoded, through the cache under `root`, or as files above `MAX_DECODED_BYTES`.

    Without `channels` a set in memory is grey if every image is; of one left as files `_PROBES`, spread evenly, are looked
    at. Without `size` the first image's is every image's.

    Raises:
        ValueError: an image cannot be decoded; images of different sizes with `size` None.
    """
    first = load_image(tree.base / tree.names[0], channels=channels, image_size=size)
    if first.numel() * len(tree) > MAX_DECODED_BYTES:
        probes = tree.names[:: -(-len(tree) // _PROBES)]
        channels = channels or max(len(load_image(tree.base / name)) for name in probes)
        height_width = (first.shape[1], first.shape[2])
        return ImageFiles(tree=tree, channels=channels, size=height_width, name=name, split=split, note=note)
    pixels = decoded(tree, channels=channels, size=size, root=root)
    return Images(pixels=pixels, labels=tree.labels, class_names=tree.class_names, name=name, split=split, note=note)
