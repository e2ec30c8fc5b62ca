from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from drumlin.data.folders import concatenate, is_flat, scan, scan_splits, scan_unlabelled, split_folders

GREY = ("L", (4, 4), 0)


def test_classes_by_name_and_files_by_name(make_folder: Callable[..., Path]) -> None:
    tree = scan(make_folder({"b/2.png": GREY, "b/1.png": GREY, "a/x.JPG": GREY, "B/y.png": GREY}))
    assert tree.class_names == ("B", "a", "b")
    assert tree.names == ("B/y.png", "a/x.JPG", "b/1.png", "b/2.png")
    assert tree.labels.tolist() == [0, 1, 2, 2]
    assert all(path.is_file() for path in tree.paths)


def test_numbers_are_sorted_as_numbers_only_if_all_are(make_folder: Callable[..., Path]) -> None:
    numbers = {f"{i}/a.png": GREY for i in (10, 9, 1)}
    assert scan(make_folder(numbers)).class_names == ("1", "9", "10")
    assert scan(make_folder(numbers | {"x/a.png": GREY})).class_names == ("1", "10", "9", "x")


def test_canonical_classes_give_order_to_names_and_names_to_numbers(make_folder: Callable[..., Path]) -> None:
    canonical = ("shirt", "bag")
    named = scan(make_folder({"bag/b.png": GREY, "shirt/s.png": GREY}, "named"), canonical)
    assert (named.class_names, named.names, named.labels.tolist()) == (canonical, ("shirt/s.png", "bag/b.png"), [0, 1])
    numbered = scan(make_folder({"0/s.png": GREY, "1/b.png": GREY}, "numbered"), canonical)
    assert (numbered.class_names, numbered.names) == (canonical, ("0/s.png", "1/b.png"))
    other = scan(make_folder({"1/s.png": GREY, "2/b.png": GREY}, "other"), canonical)
    assert other.class_names == ("1", "2")


def test_hidden_and_other_files_are_passed_over_and_nested_ones_found(make_folder: Callable[..., Path]) -> None:
    base = make_folder({"a/deep/er/1.png": GREY, "a/.2.png": GREY, ".thumbs/3.png": GREY, "a/.x/4.png": GREY})
    (base / "a" / "notes.txt").touch()
    (base / "README.md").touch()
    assert scan(base).names == ("a/deep/er/1.png",)


def test_folders_that_will_not_do(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere does not exist"):
        scan(tmp_path / "nowhere")
    base = make_folder({"a/1.png": GREY})
    with pytest.raises(ValueError, match=r"1\.png is a file; give a folder"):
        scan(base / "a" / "1.png")
    with pytest.raises(ValueError, match="has images but no class folders"):
        scan(base / "a")
    (base / "empty").mkdir()
    with pytest.raises(ValueError, match=r"class folder .*empty holds no images \(by extension: .*\.png"):
        scan(base)
    with pytest.raises(ValueError, match="neither images nor class folders"):
        scan(base / "empty")
    with pytest.raises(ValueError, match="empty holds no images"):
        scan_unlabelled(base / "empty")
    beside = make_folder({"a/1.png": GREY, "stray.png": GREY}, "beside")
    with pytest.raises(ValueError, match=r"stray\.png lies beside the class folders"):
        scan(beside)


def test_flat(make_folder: Callable[..., Path]) -> None:
    base = make_folder({"2.png": GREY, "1.png": GREY, ".hidden/x.png": GREY})
    assert is_flat(base)
    tree = scan_unlabelled(base)
    assert (tree.names, tree.labels.tolist(), tree.class_names) == (("1.png", "2.png"), [0, 0], ("unknown",))
    assert not is_flat(make_folder({"a/1.png": GREY}, "other"))


def test_splits(make_folder: Callable[..., Path]) -> None:
    base = make_folder({"train/a/1.png": GREY, "val/a/1.png": GREY})
    assert split_folders(base) == {"train": base / "train", "test": base / "val"}
    make_folder({"test/a/1.png": GREY})
    assert split_folders(base) == {"train": base / "train", "test": base / "test"}
    rolling_stock = make_folder({"train/1.png": GREY, "bus/1.png": GREY}, "vehicles")
    assert split_folders(rolling_stock) == {}
    assert scan(rolling_stock).class_names == ("bus", "train")


def test_labels_of_the_test_split_are_those_of_training(make_folder: Callable[..., Path]) -> None:
    base = make_folder({f"train/{c}/1.png": GREY for c in "abc"} | {f"test/{c}/1.png": GREY for c in "bc"})
    test = scan_splits(base)["test"]
    assert (test.class_names, test.labels.tolist()) == (("a", "b", "c"), [1, 2])
    make_folder({"test/d/1.png": GREY})
    with pytest.raises(ValueError, match=r"test has classes that .*train has not: d"):
        scan_splits(base)


def test_concatenation(make_folder: Callable[..., Path]) -> None:
    base = make_folder({f"{s}/{c}/1.png": GREY for c in "ab" for s in ("train", "test")})
    trees = scan_splits(base)
    both = concatenate([trees["train"], trees["test"]])
    assert both.names == ("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png")
    assert both.labels.tolist() == [0, 1, 0, 1]
    assert both.base == base
    assert concatenate([both]) is both


def test_the_key_changes_when_a_file_does(two_classes: Path) -> None:
    key = scan(two_classes).key
    assert scan(two_classes).key == key
    changed = two_classes / "cat" / "3.png"
    stat = changed.stat()
    os.utime(changed, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    touched = scan(two_classes).key
    changed.rename(changed.with_name("99.png"))
    assert len({key, touched, scan(two_classes).key}) == 3


def test_a_file_that_goes_away_is_named(two_classes: Path) -> None:
    tree = scan(two_classes)
    (two_classes / "dog" / "4.png").unlink()
    with pytest.raises(ValueError, match=r"4\.png cannot be read"):
        _ = tree.key


def test_subset(two_classes: Path) -> None:
    part = scan(two_classes).subset(torch.tensor([12, 3]))
    assert (part.names, part.labels.tolist()) == (("dog/2.png", "cat/3.png"), [1, 0])
