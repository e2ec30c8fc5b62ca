"""Labeled Faces in the Wild: people as classes, and the people that its two views set aside for development."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from drumlin.data.folders import Tree, scan
from drumlin.data.pairs import Pairs, read_pairs
from drumlin.data.partition import draw_split
from drumlin.data.roots import data_root

PLACES = tuple(
    f"{base}/{folder}" for base in ("lfw", "lfw-py") for folder in ("images", "lfw-deepfunneled", "lfw_funneled", "lfw")
)
"""Where its images may lie under the data root, the first that is there: our own layout, and torchvision's names. Its lists
(people.txt, peopleDevTrain.txt, pairs.txt, ...) lie beside the folder of images."""

BY_HAND = (
    "get lfw-deepfunneled.tgz (or lfw.tgz, lfw-funneled.tgz), people.txt, peopleDevTrain.txt and the pairs files from its "
    "authors (University of Massachusetts, Amherst) or a mirror, and put them under the data root as "
    "lfw/lfw-deepfunneled/NAME/*.jpg, lfw/people.txt, ..."
)
"""How to get it."""

_TEST_FRACTION = 0.2


def read_lfw(root: Path, split: str, download: bool) -> Tree:
    """Return a split's files: people of two images or more are the classes (1680 of 5749, 9164 of 13,233 images).

    A seeded fifth of the images, stratified, is the test split: it tells how well known people are recognised. Verification of
    pairs, what the set was made for, needs no split but people that were not trained on: `groups` has them.

    Raises:
        ValueError: no images; a person without images; nobody with two images.
    """
    base = _images(root)
    tree = scan(base)
    several = (torch.bincount(tree.labels) > 1).nonzero()[:, 0].tolist()
    if not several:
        raise ValueError(f"{base} has nobody with two images or more: there is nothing to tell people apart by")
    return draw_split(tree.of_classes(several), split, _TEST_FRACTION)


def groups(root: Path) -> Mapping[str, tuple[str, ...]]:
    """Return the people whom LFW's views leave to training, by the name after the colon: dev, without-fold-1, without-folds-1-2, ...

    - `dev`: the people of peopleDevTrain.txt, View 1. Choose models and settings with these, and pairsDevTest.txt.
    - `without-fold-N`: all people of people.txt but those of its fold N, View 2. Nobody in the pairs of fold N of pairs.txt
      is among them.
    - `without-folds-N-M`: nor those of fold M, the one after N (after the last, the first): its pairs show people who are as new to
      the model as those of fold N, and choose the threshold for them.

    Lists that are not there give no groups.

    Raises:
        ValueError: a line that is no person and number of images; a person without a folder; another number of lines than a
            list says. The message has file and line.

    Source: Huang, Ramesh, Berg, Learned-Miller, Labeled Faces in the Wild, UMass technical report 07-49, 2007.
    """
    base = _images(root)
    found: dict[str, tuple[str, ...]] = {}
    development, everybody = base.parent / "peopleDevTrain.txt", base.parent / "people.txt"
    if development.is_file():
        found["dev"] = read_people(development, base)[0]
    if everybody.is_file():
        folds = read_people(everybody, base)
        for first in range(len(folds)):
            second = (first + 1) % len(folds)
            found[f"without-fold-{first + 1}"] = _without(folds, first)
            found[f"without-folds-{first + 1}-{second + 1}"] = _without(folds, first, second)
    return found


def read_lfw_pairs(name: str, root: str | os.PathLike[str] | None = None, *, fold: int | None = None) -> Pairs:
    """Return one of LFW's lists of pairs, with its images.

    Args:
        name: pairsDevTrain.txt or pairsDevTest.txt (View 1), or pairs.txt (View 2, ten folds).
        root: the data root; by default the environment's DRUMLIN_DATA, else the user's cache folder.
        fold: only the pairs of this fold, counted from 1 as in the names of `groups`; None for all.

    Returns:
        The pairs, named lfw/NAME wherever the set lies, or "lfw/NAME, fold N".

    Raises:
        ValueError: no LFW or no such list under the root, with how to get it; a fold that the list has not; and as `read_pairs`.

    Source: Huang, Ramesh, Berg, Learned-Miller, Labeled Faces in the Wild, UMass technical report 07-49, 2007.

    >>> read_lfw_pairs("pairs.txt", "no-such-root")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: no folder of images under no-such-root (lfw/images, ...): get lfw-deepfunneled.tgz ...
    """
    try:
        base = _images(data_root(root))
    except ValueError as error:
        raise ValueError(f"{error}: {BY_HAND}") from None
    file = base.parent / name
    if not file.is_file():
        raise ValueError(f"LFW's list {name} is not beside the images, in {base.parent}: {BY_HAND}")
    pairs = replace(read_pairs(file, base), name=f"lfw/{name}")
    return pairs if fold is None else _of_fold(pairs, fold)


def _of_fold(pairs: Pairs, fold: int) -> Pairs:
    """Return the pairs of a fold, counted from 1, with the images that are in them."""
    rows = (pairs.fold == fold - 1).nonzero()[:, 0]
    if len(rows) == 0:
        raise ValueError(f"fold must be in 1..{pairs.folds} for {pairs.name}, got {fold}")
    images, index = torch.unique(pairs.index[rows], return_inverse=True)
    return replace(
        pairs,
        tree=pairs.tree.subset(images),
        index=index,
        same=pairs.same[rows],
        fold=pairs.fold[rows],
        name=f"{pairs.name}, fold {fold}",
    )


def _without(folds: list[tuple[str, ...]], *out: int) -> tuple[str, ...]:
    return tuple(person for fold, people in enumerate(folds) if fold not in out for person in people)


def read_people(file: Path, images: Path) -> list[tuple[str, ...]]:
    """Return the people of each fold of a list: `people.txt` has ten folds, `peopleDevTrain.txt` is one.

    The first line may be the number of folds; each fold is a line with its number of people, and for each of these a line
    with name and number of images, separated by a tab.

    Args:
        file: the list.
        images: the folder with a folder for each person.

    Raises:
        ValueError: what `groups` says.
    """
    lines = file.read_text(encoding="utf-8").rstrip().splitlines()
    several = len(lines) > 1 and lines[0].strip().isdecimal() and lines[1].strip().isdecimal()
    announced, start = (int(lines[0]), 1) if several else (1, 0)
    folds: list[tuple[str, ...]] = []
    while start < len(lines):
        size, left = lines[start].strip(), len(lines) - start - 1
        if not size.isdecimal() or int(size) > left:
            raise ValueError(
                f"{file}, line {start + 1}: {size!r} is not the number of people that follow; {left} lines do"
            )
        people = range(start + 1, start + 1 + int(size))
        folds.append(tuple(_person(lines[i], f"{file}, line {i + 1}", images) for i in people))
        start = people.stop
    if len(folds) != announced:
        raise ValueError(f"{file}, line 1: it should have {announced} lists of people, and has {len(folds)}")
    return folds


def _person(line: str, where: str, images: Path) -> str:
    name, _, count = line.strip().rpartition("\t")
    if not name or not count.isdecimal():
        raise ValueError(f"{where}: {line.strip()!r} is no person and number of images, separated by a tab")
    if not (images / name).is_dir():
        raise ValueError(f"{where}: {name} has no folder in {images}")
    return name


def _images(root: Path) -> Path:
    for place in PLACES:
        if (root / place).is_dir():
            return root / place
    raise ValueError(f"no folder of images under {root} ({', '.join(PLACES)})")
