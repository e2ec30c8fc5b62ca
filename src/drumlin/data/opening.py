"""From files to images: decoded into memory, or left as files if they are too large for it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from drumlin.data.cache import decoded
from drumlin.data.decoding import different_sizes, load_image
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

    Without `channels` a set in memory is grey if every image is; without `size` all must be of one size. Of one left as files
    `_PROBES`, spread evenly, are looked at.

    Raises:
        ValueError: an image cannot be decoded; images of different sizes with `size` None.
    """
    first = load_image(tree.base / tree.names[0], channels=channels, image_size=size)
    if first.numel() * len(tree) > MAX_DECODED_BYTES:
        height_width = (first.shape[1], first.shape[2])
        if channels is None or size is None:
            channels = _probe(tree, channels, size, height_width)
        return ImageFiles(tree=tree, channels=channels, size=height_width, name=name, split=split, note=note)
    pixels = decoded(tree, channels=channels, size=size, root=root)
    return Images(pixels=pixels, labels=tree.labels, class_names=tree.class_names, name=name, split=split, note=note)


def _probe(tree: Tree, channels: int | None, size: tuple[int, int] | None, first: tuple[int, int]) -> int:
    """Return the channels of a sample of the images; with `size` None these must be of the first one's size."""
    most = channels or 1
    for name in tree.names[:: -(-len(tree) // _PROBES)]:
        image = load_image(tree.base / name, channels=channels)
        if size is None and image.shape[1:] != first:
            raise different_sizes(tree.base / name, image.shape[1:], tree.base / tree.names[0], first)
        most = max(most, len(image))
    return most
