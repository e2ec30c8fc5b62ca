from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from drumlin.data import Images, load

GREY = ("L", (4, 4), 0)


def values(images: object) -> list[int]:
    assert isinstance(images, Images)
    return images.pixels[:, 0, 0, 0].tolist()


def test_unknown_names_are_answered_with_near_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown data set 'minst': did you mean 'k?mnist'"):
        load("minst", "train")
    with pytest.raises(ValueError, match="unknown split 'tset': did you mean 'test'"):
        load("digits", "tset")
    with pytest.raises(ValueError, match="unknown class 'nine'"):
        load("digits:nine", "train")
    with pytest.raises(ValueError, match="class list '' names no class"):
        load("digits:", "train")
    with pytest.raises(ValueError, match="channels is 4"):
        load("digits", "train", channels=4)
    with pytest.raises(ValueError, match="image_size is -1"):
        load("digits", "train", image_size=-1)


def test_a_folder_without_a_test_split_is_split_and_says_so(two_classes: Path) -> None:
    spec = f"folder:{two_classes}"
    train, test, whole = (load(spec, split) for split in ("train", "test", "all"))
    assert sorted(values(train) + values(test)) == values(whole)
    assert train.labels.bincount().tolist() == [8, 8]
    assert test.labels.bincount().tolist() == [2, 2]
    assert train.note == test.note
    assert "has no test split: a stratified 20%" in train.note
    assert whole.note == ""
    assert (train.name, train.split) == (spec, "train")
    assert values(load(spec, "train")) == values(train)


def test_a_folder_with_splits_is_taken_as_it_is(make_folder: Callable[..., Path]) -> None:
    base = make_folder(
        {"train/a/1.png": ("L", (4, 4), 1), "train/b/1.png": ("L", (4, 4), 2), "val/b/1.png": ("L", (4, 4), 3)}
    )
    train, test, whole = (load(f"folder:{base}", split) for split in ("train", "test", "all"))
    assert (values(train), train.labels.tolist()) == ([1, 2], [0, 1])
    assert (values(test), test.labels.tolist()) == ([3], [1])
    assert (values(whole), whole.labels.tolist()) == ([1, 2, 3], [0, 1, 1])
    assert train.note == ""


def test_a_train_folder_alone_is_split(make_folder: Callable[..., Path]) -> None:
    base = make_folder({f"train/{'ab'[i // 5]}/{i}.png": ("L", (4, 4), i) for i in range(10)})
    train, test, whole = (load(f"folder:{base}", split) for split in ("train", "test", "all"))
    assert sorted(values(train) + values(test)) == values(whole) == list(range(10))
    assert (len(test), "has no test split" in train.note) == (2, True)


def test_a_test_folder_alone_cannot_be_trained_on(make_folder: Callable[..., Path]) -> None:
    base = make_folder({"test/a/1.png": GREY, "test/b/1.png": GREY})
    assert len(load(f"folder:{base}", "test")) == 2
    with pytest.raises(ValueError, match="has only a test split; training takes images in"):
        load(f"folder:{base}", "train")


def test_a_flat_folder_has_no_classes_to_train_on(make_folder: Callable[..., Path]) -> None:
    base = make_folder({"1.png": GREY, "2.png": GREY})
    images = load(f"folder:{base}", "all")
    assert (len(images), images.class_names, images.note) == (2, ("unknown",), "images without classes")
    for split in ("train", "test"):
        with pytest.raises(ValueError, match=r"has images but no class folders; .*PATH/CLASS/IMAGE"):
            load(f"folder:{base}", split)


def test_one_class_cannot_be_trained_on(make_folder: Callable[..., Path]) -> None:
    base = make_folder({f"cat/{i}.png": GREY for i in range(5)})
    assert len(load(f"folder:{base}", "all")) == 5
    with pytest.raises(ValueError, match="has one class, 'cat'; training takes two or more"):
        load(f"folder:{base}", "train")
    with pytest.raises(ValueError, match="has one class, '8'"):
        load("digits:8", "train")
    assert load("digits:8", "test").class_names == ("8",)


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere does not exist"):
        load(f"folder:{tmp_path / 'nowhere'}", "all")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no images"):
        load(f"folder:{tmp_path / 'empty'}", "all")
    with pytest.raises(ValueError, match="neither images nor class folders"):
        load(f"folder:{tmp_path / 'empty'}", "train")


def test_images_of_different_sizes(make_folder: Callable[..., Path]) -> None:
    base = make_folder({"a/1.png": GREY, "b/1.png": ("L", (6, 4), 0)})
    with pytest.raises(ValueError, match=r"b.1\.png is 6x4 pixels but .*a.1\.png is 4x4.*--image-size"):
        load(f"folder:{base}", "all")
    assert load(f"folder:{base}", "all", image_size=4).size == (4, 4)
    assert load(f"folder:{base}", "all", image_size=(2, 3), channels=3).float().shape == (2, 3, 2, 3)


def test_a_damaged_image_is_named(two_classes: Path) -> None:
    (two_classes / "dog" / "7.png").write_bytes((two_classes / "dog" / "7.png").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"dog.7\.png cannot be decoded"):
        load(f"folder:{two_classes}", "train")


def test_a_missing_torchvision_is_no_matter_to_digits_and_folders(
    two_classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert len(load("digits", "test")) == 449
    assert len(load(f"folder:{two_classes}", "all")) == 20
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    with pytest.raises(ImportError, match=r"drumlin\[cli\]"):
        load("mnist", "test", root=tmp_path)


def test_loading_draws_nothing_from_the_global_random_state(two_classes: Path) -> None:
    before = torch.get_rng_state()
    load("digits", "train")
    load(f"folder:{two_classes}", "train")
    assert torch.equal(torch.get_rng_state(), before)


def test_image_libraries_are_imported_only_when_used() -> None:
    code = "import sys, drumlin.data as d; d.load('digits', 'test'); sys.exit(bool({'PIL', 'torchvision'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_folder_with_two_images_of_one_class_says_what_is_wrong(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "cat").mkdir()
    for number in range(2):
        image.new("L", (4, 4)).save(tmp_path / "cat" / f"{number}.png")
    with pytest.raises(ValueError, match="has one class, 'cat'; training takes two or more"):
        load(f"folder:{tmp_path}", "train")
