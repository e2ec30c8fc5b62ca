"""Labeled Faces in the Wild: people as classes, and the people that its two views set aside for development."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from drumlin.data.folders import Tree, scan
from drumlin.data.partition import draw_split

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
    """Return the people whom LFW's views leave to training, by the name after the colon: dev, without-fold-1, ..., -10.

    - `dev`: the people of peopleDevTrain.txt, View 1. Choose models and settings with these, and pairsDevTest.txt.
    - `without-fold-N`: all people of people.txt but those of its fold N, View 2. Nobody in the pairs of fold N of pairs.txt
      is among them.

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
        for out in range(len(folds)):
            others = (people for fold, people in enumerate(folds) if fold != out)
            found[f"without-fold-{out + 1}"] = tuple(person for people in others for person in people)
    return found


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
