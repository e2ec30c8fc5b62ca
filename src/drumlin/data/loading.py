"""From what a user names to labelled images."""

from __future__ import annotations

import os

from drumlin._io import unknown
from drumlin.data.adaptation import Size, check_channels, target_size
from drumlin.data.named import load_named
from drumlin.data.opening import AnyImages, open_tree
from drumlin.data.partition import split_tree
from drumlin.data.roots import data_root
from drumlin.data.specs import parse_spec

SPLITS = ("train", "test", "all")
"""What `load` takes as a split."""

_TEST_FRACTION = 0.2


def load(
    spec: str,
    split: str,
    *,
    root: str | os.PathLike[str] | None = None,
    download: bool = False,
    image_size: Size = None,
    channels: int | None = None,
) -> AnyImages:
    """Return the labelled images of a named data set or a folder.

    A named set is looked for under the data root as torchvision lays it out, then as image folders
    `NAME/{train,test}/CLASS/*`, then, for its test split alone, `ood/NAME/CLASS/*`. A folder is split as its `train/` and
    `test/` (or `val/`) say; without these a seeded, stratified fifth of it is its test split, and `note` says so. How
    images are brought to `channels` and `image_size` is said at `adapt`. Sets of image files above 2 GiB
    (decoded) come as `ImageFiles`, all else as `Images`.

    Args:
        spec: NAME; NAME:CLASSES with class names, indices, ranges or a set's own groups of classes (`lfw:dev`), whose labels
            are renumbered 0..K−1 in their own order; or folder:PATH.
        split: "train", "test", or "all" for every split there is. With "all" a folder needs no class folders: its images
            are then of class 0, "unknown".
        root: the data root; by default the environment's DRUMLIN_DATA, else the user's cache folder.
        download: download a named set that is not there.
        image_size: a side in pixels, (height, width), or None for as they are.
        channels: 1 (grey), 3 (colour), or None: grey if every image is. (Of a set of files too large for memory, 256 spread
            evenly are looked at.)

    Raises:
        ValueError: an unknown name, split or class; a set that is not there, with where it was looked for and how to get it;
            a split it doesn't have; a folder without images; one class, with split "train"; images of different sizes
            without `image_size`; an image that cannot be decoded.
        ImportError: torchvision is needed and not installed.

    >>> images = load("digits:8,9", "test")
    >>> images.class_names, images.size, sorted(set(images.labels.tolist()))
    (('8', '9'), (8, 8), [0, 1])
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    check_channels(channels)
    size = target_size(image_size)
    parsed, place = parse_spec(spec), data_root(root)
    if parsed.folder is None:
        images = load_named(parsed, split, root=place, download=download, channels=channels, size=size)
    else:
        tree = split_tree(parsed.folder, split, _TEST_FRACTION)
        images = open_tree(tree, name=spec, split=split, note=tree.note, root=place, channels=channels, size=size)
    if split == "train" and len(images.class_names) < 2:
        raise ValueError(f"data {spec!r} has one class, {images.class_names[0]!r}; training takes two or more")
    return images
