"""Folders of images: which files there are, and which class and split each belongs to. Nothing is decoded here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from drumlin._io import hash_json
from drumlin.data.decoding import EXTENSIONS

UNKNOWN = "unknown"
"""The class of images that have none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """Image files with their classes."""

    base: Path
    """The folder they lie in."""

    names: tuple[str, ...]
    """Paths relative to `base`, with forward slashes."""

    labels: Int64[Tensor, " n"]
    """Class of each file, an index into `class_names`."""

    class_names: tuple[str, ...]
    """One name a class."""

    note: str = ""
    """How it came about where that is not plain, as for a split that drumlin made itself."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [self.base / name for name in self.names]

    @cached_property
    def key(self) -> str:
        """SHA-256 over name, size and time of change of every file: changes when a file does.

        Raises:
            ValueError: a file is gone.
        """
        return hash_json([(name, *self._stamp(name)) for name in self.names])

    def _stamp(self, name: str) -> tuple[int, int]:
        try:
            stat = os.stat(os.path.join(self.base, name))  # a Path each would take longer than the look-up
        except OSError as error:
            raise ValueError(f"image {self.base / name} cannot be read: {error.strerror}") from None
        return stat.st_size, stat.st_mtime_ns

    def subset(self, indices: Int64[Tensor, " m"]) -> Tree:
        """Return the files `indices`, in that order; classes keep their numbers and names."""
        return replace(self, names=tuple(self.names[i] for i in indices.tolist()), labels=self.labels[indices])

    def of_classes(self, classes: Sequence[int]) -> Tree:
        """Return the files of `classes` alone, renumbered in that order."""
        number = torch.full((len(self.class_names),), -1)
        number[torch.tensor(classes)] = torch.arange(len(classes))
        chosen = self.subset((number[self.labels] >= 0).nonzero()[:, 0])
        return replace(chosen, labels=number[chosen.labels], class_names=tuple(self.class_names[i] for i in classes))


def split_folders(path: Path) -> dict[str, Path]:
    """Return the folders of the splits that `path` keeps apart: "train" for `train/`, "test" for `test/`, else `val/`.

    A folder so named counts if it has folders of its own; otherwise it is a class that happens to be called "train".
    """
    found = {split: path / split for split in ("train", "test", "val") if _folders(path / split)}
    validation = found.pop("val", None)
    return found if validation is None else {"test": validation} | found


def scan_splits(path: Path, canonical: Sequence[str] = ()) -> dict[str, Tree]:
    """Return the files of each of `split_folders(path)`, with one list of classes: that of `train/`, if it is there.

    Args:
        path: the folder that holds the splits' folders.
        canonical: the classes as the data set's authors list them, where known (see `scan`).

    Raises:
        ValueError: a class of the test split that training doesn't have; and as `scan`.
    """
    folders = split_folders(path)
    trees: dict[str, Tree] = {}
    if "train" in folders:
        trees["train"] = scan(folders["train"], canonical)
    if "test" in folders:
        trees["test"] = scan(folders["test"], canonical)
    if len(trees) == 2:
        known, tree = trees["train"].class_names, trees["test"]
        stray = sorted(set(tree.class_names) - set(known))
        if stray:
            raise ValueError(f"{folders['test']} has classes that {folders['train']} has not: {', '.join(stray)}")
        number = torch.tensor([known.index(name) for name in tree.class_names])
        trees["test"] = replace(tree, labels=number[tree.labels], class_names=known)
    return trees


def scan(path: Path, canonical: Sequence[str] = ()) -> Tree:
    """Return the images below the class folders of `path`, class by class, sorted by name.

    Classes are sorted by name as torchvision does, but by number where all names are integers (there 10 comes before 9).
    Hidden files and folders, and files not named like images (`EXTENSIONS`), are passed over.

    Args:
        path: the folder that holds the class folders.
        canonical: the classes as the data set's authors list them. Folders with just these names take this order; folders
            numbered 0..K-1 take these names.

    Raises:
        ValueError: no such folder, no class folders, a class folder without images, images beside the class folders.
    """
    folders = _folders(_existing(path))
    if not folders:
        what = "images but no class folders" if _images(path) else "neither images nor class folders"
        raise ValueError(f"folder {path} has {what}; labelled images lie in a folder a class, PATH/CLASS/IMAGE")
    beside = [entry.name for entry in os.scandir(path) if entry.is_file() and _is_image(entry.name)]
    if beside:
        raise ValueError(f"image {path / min(beside)} lies beside the class folders; move it into one, or away")
    classes = sorted(folders)
    if all(name.isdecimal() for name in classes):
        classes.sort(key=int)
    if set(classes) == set(canonical):
        classes = list(canonical)
    names: list[str] = []
    counts: list[int] = []
    for name in classes:
        found = _images(path / name)
        if not found:
            raise ValueError(
                f"class folder {path / name} holds no images (by extension: {', '.join(sorted(EXTENSIONS))})"
            )
        names += [f"{name}/{image}" for image in found]
        counts.append(len(found))
    if classes == [str(i) for i in range(len(canonical))]:
        classes = list(canonical)
    labels = torch.arange(len(classes)).repeat_interleave(torch.tensor(counts))
    return Tree(base=path, names=tuple(names), labels=labels, class_names=tuple(classes))


def scan_unlabelled(path: Path) -> Tree:
    """Return the images that lie directly in `path`, sorted by name, all of class 0, "unknown".

    Raises:
        ValueError: no such folder, or no images in it.
    """
    names = _images(_existing(path))
    if not names:
        raise ValueError(f"folder {path} holds no images (by extension: {', '.join(sorted(EXTENSIONS))})")
    return Tree(
        base=path,
        names=tuple(names),
        labels=torch.zeros(len(names), dtype=torch.int64),
        class_names=(UNKNOWN,),
        note="images without classes",
    )


def find_images(places: Sequence[Path]) -> list[Path]:
    """Return files as they are named, and the images in and below folders, sorted by name.

    Raises:
        ValueError: a place that does not exist, or a folder without images.
    """
    found: list[Path] = []
    for place in places:
        if place.is_file():
            found.append(place)
            continue
        names = _images(place) if place.is_dir() else []
        if not names:
            why = "holds no images" if place.is_dir() else "does not exist"
            raise ValueError(f"{place} {why}; give image files, or folders of them")
        found += [place / name for name in names]
    return found


def is_flat(path: Path) -> bool:
    """Return whether `path` is a folder without folders in it (hidden ones aside)."""
    return not _folders(_existing(path))


def concatenate(trees: Sequence[Tree]) -> Tree:
    """Return the files of `trees`, which share their class names, as one."""
    if len(trees) == 1:
        return trees[0]
    base = Path(os.path.commonpath([tree.base for tree in trees]))
    names = [f"{tree.base.relative_to(base).as_posix()}/{name}" for tree in trees for name in tree.names]
    labels = torch.cat([tree.labels for tree in trees])
    return Tree(base=base, names=tuple(names), labels=labels, class_names=trees[0].class_names)


def _existing(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"folder {path} {'is a file' if path.exists() else 'does not exist'}; give a folder of images")
    return path


def _folders(path: Path) -> list[str]:
    if not path.is_dir():
        return []
    return [entry.name for entry in os.scandir(path) if entry.is_dir() and not entry.name.startswith(".")]


def _images(path: Path) -> list[str]:
    """Return the images in `path` and below, relative to it, sorted."""
    found: list[str] = []
    for folder, below, files in os.walk(path, followlinks=True):
        below[:] = sorted(name for name in below if not name.startswith("."))
        relative = Path(folder).relative_to(path)
        found += [(relative / name).as_posix() for name in files if _is_image(name)]
    return sorted(found)


def _is_image(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS
