"""Which files of a folder are for training and which for testing: as its own folders say, else drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from drumlin.data.folders import Tree, concatenate, is_flat, scan, scan_splits, scan_unlabelled, split_folders
from drumlin.data.splits import holdout_split


def split_tree(path: Path, split: str, test_fraction: float) -> Tree:
    """Return the files of one split of a folder of images; its note says if the split was drawn.

    What lies in `path/train` and `path/test` (or `val`) is taken as it is. Without a test split a stratified part of the images,
    the same each time, is taken for one.

    Args:
        path: the folder.
        split: "train", "test", or "all" for every split there is; a folder without class folders can only be had whole.
        test_fraction: the part of each class's images that is drawn for testing where `path` does not keep them apart.

    Raises:
        ValueError: no such folder; a class without images; training of a folder with a test split alone, or with one class.
    """
    if split_folders(path):
        trees = scan_splits(path)
        if split == "all":
            return concatenate(list(trees.values()))
        if "test" in trees:
            if split not in trees:
                raise ValueError(f"folder {path} has only a test split; training takes images in {path / 'train'}")
            return trees[split]
        whole = trees["train"]  # its test split is a part of it, so training must not have the whole
    elif split == "all" and is_flat(path):
        return scan_unlabelled(path)
    else:
        whole = scan(path)
        if split == "all":
            return whole
    if split == "train" and len(whole.class_names) < 2:  # before a split of few images fails for another reason
        raise ValueError(f"folder {path} has one class, {whole.class_names[0]!r}; training takes two or more")
    return draw_split(whole, split, test_fraction)


def draw_split(whole: Tree, split: str, test_fraction: float) -> Tree:
    """Return the training ("train") or test ("test") part of `whole`, drawn stratified with seed 0; its note says so.

    Raises:
        ValueError: so few images that none would be tested on.
    """
    train, test = holdout_split(whole.labels, test_fraction, len(whole), seed=0)
    note = f"{whole.base} has no test split: a stratified {test_fraction:.0%} of its images (seed 0) is taken for one"
    return replace(whole.subset(train if split == "train" else test), note=note)
