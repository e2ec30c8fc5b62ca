"""From what a user names to labelled images."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch

from drumlin._io import unknown
from drumlin.data.adaptation import Size, adapt, check_channels, target_size
from drumlin.data.cache import decoded
from drumlin.data.catalogue import CATALOGUE, Entry
from drumlin.data.decoding import load_image
from drumlin.data.files import ImageFiles
from drumlin.data.folders import Tree, concatenate, is_flat, scan, scan_splits, scan_unlabelled, split_folders
from drumlin.data.images import Images
from drumlin.data.roots import check_writable, data_root
from drumlin.data.specs import Spec, parse_spec, select_classes
from drumlin.data.splits import holdout_split

AnyImages: TypeAlias = Images | ImageFiles
"""Labelled images, in memory or as files."""

SPLITS = ("train", "test", "all")
"""What `load` takes as a split."""

MAX_DECODED_BYTES = 2 << 30
"""Sets of image files that are larger than this when decoded are not kept in memory (`ImageFiles`)."""

_TEST_FRACTION = 0.2
_PROBES = 256


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
    images are brought to `channels` and `image_size` is said at `adapt`. Sets of image files above `MAX_DECODED_BYTES`
    come as `ImageFiles`, all else as `Images`.

    Args:
        spec: NAME; NAME:CLASSES with class names, indices or ranges, whose labels are renumbered 0..K−1 in their own
            order; or folder:PATH.
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
        images = _load_named(parsed, split, place, download, channels, size)
    else:
        tree, note = _folder_tree(parsed.folder, split)
        images = _open(tree, spec, split, note, place, channels, size)
    if split == "train" and len(images.class_names) < 2:
        raise ValueError(f"data {spec!r} has one class, {images.class_names[0]!r}; training takes two or more")
    return images


def _folder_tree(path: Path, split: str) -> tuple[Tree, str]:
    """Return the files of one split of a user's folder, and a note."""
    if split_folders(path):
        trees = scan_splits(path)
        if split == "all":
            return concatenate(list(trees.values())), ""
        if split in trees:
            return trees[split], ""
        if split == "train":
            raise ValueError(f"folder {path} has only a test split; training takes images in {path / 'train'}")
        whole = trees["train"]
    elif split == "all" and is_flat(path):
        return scan_unlabelled(path), "images without classes"
    else:
        whole = scan(path)
        if split == "all":
            return whole, ""
    train, test = holdout_split(whole.labels, _TEST_FRACTION, len(whole), seed=0)
    note = f"{path} has no test split: a stratified {_TEST_FRACTION:.0%} of its images (seed 0) is taken for one"
    return whole.subset(train if split == "train" else test), note


def _load_named(
    spec: Spec, split: str, root: Path, download: bool, channels: int | None, size: tuple[int, int] | None
) -> AnyImages:
    entry = CATALOGUE.get(spec.name)
    if entry is None:
        raise unknown("data set", spec.name, [*CATALOGUE, "folder:PATH"])
    if split == "all":
        # The splits that drumlin can find: under a root with the test split alone, that is all there is.
        wanted = [s for s in entry.splits if download or _present(spec.name, entry, s, root)] or list(entry.splits)
    elif split in entry.splits:
        wanted = [split]
    else:
        raise ValueError(f"data set {spec.name!r} has only a test split: it can be tested on, not trained on")
    parts = [_load_split(spec.name, entry, s, root, download, channels, size) for s in wanted]
    images = parts[0] if len(parts) == 1 else _join(parts)
    if spec.classes is not None:
        images = _restrict(images, select_classes(spec.classes, images.class_names))
    return replace(images, name=spec.text, split=split)


def _load_split(
    name: str, entry: Entry, split: str, root: Path, download: bool, channels: int | None, size: tuple[int, int] | None
) -> AnyImages:
    marked = _marked(entry, split, root)
    tree = None if marked else _named_tree(name, entry, split, root)
    if tree is not None:
        return _open(tree, name, split, "", root, channels, size)
    if not marked and not download:
        raise _missing(name, entry, split, root)
    if download and not marked:
        check_writable(root)
    try:
        content = entry.read(root, split, download)
    except ImportError:
        raise
    except Exception as error:  # torchvision raises anything, from RuntimeError to URLError, and numpy on its behalf
        what = "could not be downloaded or read" if download else "is damaged or not whole"
        hint = "try again" if download else f"delete it and download it anew: drumlin datasets {name} --download"
        raise ValueError(f"data set {name!r} under {root} {what} ({error}); {hint}") from error
    if isinstance(content, Tree):
        return _open(content, name, split, "", root, channels, size)
    pixels, labels, class_names = content
    images = Images(pixels=pixels, labels=labels, class_names=class_names, name=name, split=split)
    return adapt(images, channels=channels, size=size)


def _marked(entry: Entry, split: str, root: Path) -> bool:
    """Return whether torchvision's files of a split are under `root`, or none are needed."""
    return not entry.marker or (root / entry.marker.format(split=split)).exists()


def _tree_folders(name: str, split: str, root: Path) -> dict[str, Path]:
    """Return the image folders of a named set: its own, else, for the test split, those under `ood/`."""
    folders = split_folders(root / name)
    ood = root / "ood" / name
    return {"test": ood} if split == "test" and split not in folders and ood.is_dir() else folders


def _named_tree(name: str, entry: Entry, split: str, root: Path) -> Tree | None:
    folders = _tree_folders(name, split, root)
    if split not in folders:
        return None
    if folders[split].parent == root / "ood":
        return scan(folders[split], entry.class_names)
    return scan_splits(root / name, entry.class_names)[split]


def _present(name: str, entry: Entry, split: str, root: Path) -> bool:
    return split in entry.splits and (_marked(entry, split, root) or split in _tree_folders(name, split, root))


def _missing(name: str, entry: Entry, split: str, root: Path) -> ValueError:
    places = [entry.marker.format(split=split), f"{name}/{split}/CLASS"] + [f"ood/{name}/CLASS"] * (split == "test")
    only = f" (only its test split is under {root})" if split == "train" and _present(name, entry, "test", root) else ""
    return ValueError(
        f"the {split} split of data set {name!r} was not found{only}: looked under {root} for {', '.join(places)}. Download it "
        f"with `drumlin datasets {name} --download` (or --download), or give another folder with --data-root or DRUMLIN_DATA"
    )


def _open(
    tree: Tree, name: str, split: str, note: str, root: Path, channels: int | None, size: tuple[int, int] | None
) -> AnyImages:
    """Return the images of `tree`: decoded, through the cache, or as files if they are too large."""
    first = load_image(tree.paths[0], channels=channels, image_size=size)
    if first.numel() * len(tree) > MAX_DECODED_BYTES:
        channels = channels or max(
            len(load_image(tree.base / probe)) for probe in tree.names[:: -(-len(tree) // _PROBES)]
        )
        height_width = (first.shape[1], first.shape[2])
        return ImageFiles(tree=tree, channels=channels, size=height_width, name=name, split=split, note=note)
    pixels = decoded(tree, channels=channels, size=size, root=root)
    return Images(pixels=pixels, labels=tree.labels, class_names=tree.class_names, name=name, split=split, note=note)


def _join(parts: list[AnyImages]) -> AnyImages:
    """Return the splits of a named set as one; its splits have one list of classes."""
    memory = [part for part in parts if isinstance(part, Images)]
    files = [part for part in parts if isinstance(part, ImageFiles)]
    if memory and files:
        raise ValueError(
            f"of data set {parts[0].name!r} one split fits into memory and another does not; load them one by one"
        )
    if files:
        return replace(files[0], tree=concatenate([part.tree for part in files]))
    pixels, labels = torch.cat([part.pixels for part in memory]), torch.cat([part.labels for part in memory])
    return replace(memory[0], pixels=pixels, labels=labels)


def _restrict(images: AnyImages, classes: list[int]) -> AnyImages:
    """Return the images of `classes` alone, renumbered in that order."""
    number = torch.full((len(images.class_names),), -1)
    number[classes] = torch.arange(len(classes))
    chosen = images.subset((number[images.labels] >= 0).nonzero()[:, 0])
    labels, names = number[chosen.labels], tuple(images.class_names[i] for i in classes)
    if isinstance(chosen, ImageFiles):
        return replace(chosen, tree=replace(chosen.tree, labels=labels, class_names=names))
    return replace(chosen, labels=labels, class_names=names)


@dataclass(frozen=True, kw_only=True)
class DataSetInfo:
    """A row of the table of data sets."""

    name: str
    """As `load` takes it."""

    num_classes: int
    """Number of classes."""

    size: tuple[int, int] | None
    """Height and width in pixels; None where images differ."""

    channels: int
    """1 for grey, 3 for colour."""

    licence: str
    """What its authors allow."""

    source: str
    """Where it comes from."""

    present: tuple[str, ...]
    """The splits that are under the root."""


def datasets(root: str | os.PathLike[str] | None = None) -> list[DataSetInfo]:
    """Return the data sets known by name, and which of their splits are under the data root (existence alone is looked at).

    Args:
        root: the data root; by default the environment's DRUMLIN_DATA, else the user's cache folder.

    Raises:
        ValueError: the root is a file.

    >>> datasets()[0].name, datasets()[0].present
    ('digits', ('train', 'test'))
    """
    place = data_root(root)
    return [
        DataSetInfo(
            name=name,
            num_classes=entry.num_classes,
            size=entry.size,
            channels=entry.channels,
            licence=entry.licence,
            source=entry.source,
            present=tuple(split for split in entry.splits if _present(name, entry, split, place)),
        )
        for name, entry in CATALOGUE.items()
    ]
