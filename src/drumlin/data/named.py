"""Data sets known by name: found under the data root in either layout, downloaded on request, restricted to some classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from drumlin._io import unknown
from drumlin.data.adaptation import adapt
from drumlin.data.catalogue import CATALOGUE, Entry
from drumlin.data.files import ImageFiles
from drumlin.data.folders import Tree, concatenate, scan, scan_splits, split_folders
from drumlin.data.images import Images
from drumlin.data.opening import AnyImages, open_tree
from drumlin.data.roots import check_writable, data_root
from drumlin.data.specs import Spec, select_classes


def load_named(
    spec: Spec, split: str, *, root: Path, download: bool, channels: int | None, size: tuple[int, int] | None
) -> AnyImages:
    """Return a split ("train", "test" or "all") of a data set known by name; arguments and errors are those of `load`."""
    entry = CATALOGUE.get(spec.name)
    if entry is None:
        raise unknown("data set", spec.name, [*CATALOGUE, "folder:PATH"])
    if split == "all":
        # Under a root with the test split alone, that is all there is.
        wanted = [s for s in entry.splits if download or _present(spec.name, entry, s, root)] or list(entry.splits)
    elif split in entry.splits:
        wanted = [split]
    else:
        raise ValueError(f"data set {spec.name!r} has only a test split: it can be tested on, not trained on")
    parts = [_read_split(spec.name, entry, s, root, download) for s in wanted]
    if any(part.class_names != parts[0].class_names for part in parts):
        raise ValueError(
            f"the splits of data set {spec.name!r} under {root} have different classes; load them one by one"
        )
    trees = [part for part in parts if isinstance(part, Tree)]
    images: AnyImages
    if len(trees) == len(parts):
        tree = concatenate(trees)
        images = open_tree(tree, name=spec.text, split=split, note=tree.note, root=root, channels=channels, size=size)
    else:
        images = _join([_opened(part, spec.text, split, root, channels, size) for part in parts])
        images = replace(adapt(images, channels=channels, size=size), name=spec.text, split=split)
    if spec.classes is None:
        return images
    groups = entry.groups(root) if entry.groups is not None else {}
    return _restrict(images, select_classes(spec.classes, images.class_names, groups))


def _read_split(name: str, entry: Entry, split: str, root: Path, download: bool) -> Images | Tree:
    """Return a split as it is found under `root`: the set's own files first, then image folders."""
    marked = _marked(entry, split, root)
    tree = None if marked else _named_tree(name, entry, split, root)
    if tree is not None:
        return tree
    if not marked and (entry.by_hand or not download):
        raise _missing(name, entry, split, root)
    if entry.by_hand:  # read by drumlin itself, whose errors name the file
        by_hand = entry.read(root, split, False)
        assert isinstance(by_hand, Tree)
        return by_hand
    if not marked:
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
        return content
    pixels, labels, class_names = content
    return Images(pixels=pixels, labels=labels, class_names=class_names, name=name, split=split)


def _opened(
    part: Images | Tree, name: str, split: str, root: Path, channels: int | None, size: tuple[int, int] | None
) -> Images:
    """Return a part in memory, for a set of which one split is torchvision's and another image folders."""
    if isinstance(part, Images):
        return part
    images = open_tree(part, name=name, split=split, note="", root=root, channels=channels, size=size)
    if isinstance(images, ImageFiles):
        raise ValueError(
            f"the splits of data set {name!r} under {root} are too large to be joined; load them one by one"
        )
    return images


def _join(parts: Sequence[Images]) -> Images:
    channels = max(part.channels for part in parts)
    parts = [adapt(part, channels=channels, size=parts[0].size) for part in parts]
    pixels, labels = torch.cat([part.pixels for part in parts]), torch.cat([part.labels for part in parts])
    return replace(parts[0], pixels=pixels, labels=labels)


def _restrict(images: AnyImages, classes: list[int]) -> AnyImages:
    """Return the images of `classes` alone, renumbered in that order."""
    if isinstance(images, ImageFiles):
        return replace(images, tree=images.tree.of_classes(classes))
    number = torch.full((len(images.class_names),), -1)
    number[classes] = torch.arange(len(classes))
    chosen = images.subset((number[images.labels] >= 0).nonzero()[:, 0])
    return replace(chosen, labels=number[chosen.labels], class_names=tuple(images.class_names[i] for i in classes))


def _marked(entry: Entry, split: str, root: Path) -> bool:
    """Return whether a split's own files are under `root`, or none are needed."""
    return not entry.markers or any((root / marker).exists() for marker in _markers(entry, split))


def _markers(entry: Entry, split: str) -> list[str]:
    return [marker.format(split=split, part={"test": "val"}.get(split, split)) for marker in entry.markers]


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
    places = [*_markers(entry, split), f"{name}/{split}/CLASS"] + [f"ood/{name}/CLASS"] * (split == "test")
    only = f" (only its test split is under {root})" if split == "train" and _present(name, entry, "test", root) else ""
    how = f"Download it with `drumlin datasets {name} --download` (or --download)"
    if entry.by_hand:
        how = f"It cannot be downloaded by drumlin: {entry.by_hand}"
    return ValueError(
        f"the {split} split of data set {name!r} was not found{only}: looked under {root} for {', '.join(places)}. {how}, "
        "or give another folder with --data-root or DRUMLIN_DATA"
    )


@dataclass(frozen=True, kw_only=True)
class DataSetInfo:
    """A row of the table of data sets."""

    name: str
    """As `load` takes it."""

    num_classes: int | None
    """Number of classes; None where it depends on which images one has."""

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

    by_hand: str
    """How to get it, where drumlin cannot download it."""


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
            by_hand=entry.by_hand,
        )
        for name, entry in CATALOGUE.items()
    ]
