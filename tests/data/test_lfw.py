from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from drumlin.data import Images, datasets, load
from drumlin.data.lfw import groups, read_lfw_pairs, read_people

Make = Callable[..., Path]
PEOPLE = {"Ann": 6, "Bob_Lee": 5, "Cy": 1, "Dee": 4, "Eve": 2}


@pytest.fixture
def root(make_folder: Make) -> Path:
    """Five people, one of them with one image, in three folds."""
    images = {
        f"lfw/images/{name}/{name}_{i:04}.jpg": ("RGB", (8, 8), (i, 0, 0))
        for name, n in PEOPLE.items()
        for i in range(1, n + 1)
    }
    base = make_folder(images)
    (base / "lfw/peopleDevTrain.txt").write_text("3\nAnn\t6\nCy\t1\nDee\t4\n")
    (base / "lfw/people.txt").write_text("3\n2\nAnn\t6\nCy\t1\n1\nDee\t4\n2\nBob_Lee\t5\nEve\t2\n")
    return base


def files(root: Path, spec: str, split: str) -> tuple[tuple[str, ...], list[int]]:
    images = load(spec, split, root=root)
    assert isinstance(images, Images)
    return images.class_names, images.labels.bincount(minlength=len(images.class_names)).tolist()


def test_people_of_two_images_are_classes(root: Path) -> None:
    names = ("Ann", "Bob_Lee", "Dee", "Eve")
    assert files(root, "lfw", "all") == (names, [6, 5, 4, 2])
    train, test = files(root, "lfw", "train"), files(root, "lfw", "test")
    assert train[0] == test[0] == names
    assert [a + b for a, b in zip(train[1], test[1], strict=True)] == [6, 5, 4, 2]
    assert sum(test[1]) == 3  # a fifth of 17
    assert "a stratified 20% of its images (seed 0)" in load("lfw", "train", root=root).note


def test_groups(root: Path) -> None:
    assert files(root, "lfw:dev", "all") == (("Ann", "Dee"), [6, 4])  # Cy has one image
    assert files(root, "lfw:without-fold-1", "all")[0] == ("Bob_Lee", "Dee", "Eve")
    assert files(root, "lfw:without-fold-2", "all")[0] == ("Ann", "Bob_Lee", "Eve")
    assert files(root, "lfw:without-fold-3", "all")[0] == ("Ann", "Dee")
    assert files(root, "lfw:dev,Eve", "all")[0] == ("Ann", "Dee", "Eve")
    assert groups(root)["without-folds-1-2"] == ("Bob_Lee", "Eve")
    assert groups(root)["without-folds-2-3"] == ("Ann", "Cy")
    assert groups(root)["without-folds-3-1"] == ("Dee",)
    with pytest.raises(ValueError, match="unknown class 'without-fold-4': did you mean 'without-fold-"):
        load("lfw:without-fold-4", "train", root=root)


def test_an_image_is_in_the_same_split_whatever_the_group(root: Path) -> None:
    def reds(spec: str, split: str, label: int) -> list[int]:
        images = load(spec, split, root=root)
        assert isinstance(images, Images)
        return sorted(images.pixels[images.labels == label, 0, 0, 0].tolist())

    for split in ("train", "test"):
        assert reds("lfw:dev", split, 1) == reds("lfw", split, 2)


@pytest.mark.parametrize("place", ["lfw-py/lfw_funneled", "lfw-py/lfw-deepfunneled", "lfw-py/lfw", "lfw/lfw_funneled"])
def test_torchvisions_folders(make_folder: Make, place: str) -> None:
    root = make_folder({f"{place}/{name}/{i}.jpg": ("RGB", (8, 8), 0) for name in ("Ann", "Bob") for i in range(5)})
    assert files(root, "lfw", "train")[1] == [4, 4]
    assert {row.name: row.present for row in datasets(root)}["lfw"] == ("train", "test")
    with pytest.raises(ValueError, match="unknown class 'dev'"):  # its lists are not there
        load("lfw:dev", "train", root=root)


def test_what_is_not_there_is_not_downloaded(tmp_path: Path) -> None:
    for download in (False, True):
        with pytest.raises(
            ValueError, match=r"looked under .* for lfw/images, .*cannot be downloaded by drumlin: get lfw-deep"
        ):
            load("lfw", "train", root=tmp_path, download=download)


def test_a_person_without_images(root: Path) -> None:
    (root / "lfw/images/Fay").mkdir()
    with pytest.raises(ValueError, match=r"class folder .*Fay holds no images"):
        load("lfw", "train", root=root)


def test_nobody_with_two_images(make_folder: Make) -> None:
    root = make_folder({f"lfw/images/{name}/1.jpg": ("RGB", (8, 8), 0) for name in ("Ann", "Bob")})
    with pytest.raises(ValueError, match="has nobody with two images or more"):
        load("lfw", "train", root=root)


def test_one_person(root: Path) -> None:
    with pytest.raises(ValueError, match="'lfw:Ann' has one class, 'Ann'"):
        load("lfw:Ann", "train", root=root)


def test_a_damaged_image_is_named(root: Path) -> None:
    path = root / "lfw/images/Ann/Ann_0003.jpg"
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(ValueError, match=f"image {re.escape(str(path))} cannot be decoded"):
        load("lfw", "all", root=root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\nAnn 6\n", "people.txt, line 2: 'Ann 6' is no person and number of images"),
        ("2\nAnn\t6\nDee\tx\n", "line 3: 'Dee\\\\tx' is no person"),
        ("1\nZoe\t6\n", "line 2: Zoe has no folder in "),
        ("3\nAnn\t6\n", "line 1: '3' is not the number of people that follow; 1 lines do"),
        ("2\n1\nAnn\t6\n", "line 1: it should have 2 lists of people, and has 1"),
        ("2\n1\nAnn\t6\nx\nDee\t4\n", "line 4: 'x' is not the number of people that follow; 1 lines do"),
        ("", "line 1: it should have 1 lists of people, and has 0"),
    ],
)
def test_damaged_lists(root: Path, text: str, message: str) -> None:
    (root / "lfw/people.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        groups(root)


PAIRS = "3\t1\nAnn\t1\t6\nAnn\t2\tCy\t1\nDee\t3\t4\nDee\t1\tDee\t2\nEve\t1\t2\nBob_Lee\t5\tEve\t2\n"


def test_pairs_of_a_fold(root: Path) -> None:
    (root / "lfw/pairs.txt").write_text(PAIRS)
    whole = read_lfw_pairs("pairs.txt", root)
    assert (whole.name, whole.folds, len(whole)) == ("lfw/pairs.txt", 3, 6)
    part = read_lfw_pairs("pairs.txt", root, fold=3)
    assert part.name == "lfw/pairs.txt, fold 3"
    assert part.fold.tolist() == [2, 2]
    assert part.same.tolist() == [True, False]
    shown = [[part.tree.names[i].partition("/")[2] for i in pair] for pair in part.index.tolist()]
    assert shown == [["Eve_0001.jpg", "Eve_0002.jpg"], ["Bob_Lee_0005.jpg", "Eve_0002.jpg"]]
    assert len(part.tree) == 3, "the images of other folds are not decoded"


def test_pairs_that_are_not_there(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"LFW's list pairsDevTest\.txt is not beside the images, in .*: get lfw-deep"):
        read_lfw_pairs("pairsDevTest.txt", root)
    with pytest.raises(ValueError, match=r"no folder of images under .*empty \(lfw/images, .*\): get lfw-deep"):
        read_lfw_pairs("pairs.txt", tmp_path / "empty")
    (root / "lfw/pairs.txt").write_text(PAIRS)
    for fold in (0, 4):
        with pytest.raises(ValueError, match=rf"fold must be in 1\.\.3 for lfw/pairs\.txt, got {fold}"):
            read_lfw_pairs("pairs.txt", root, fold=fold)
    monkeypatch.setenv("DRUMLIN_DATA", str(root))
    assert len(read_lfw_pairs("pairs.txt")) == 6


@pytest.mark.data
def test_real_lists(real_root: Path) -> None:
    base = real_root / "lfw"
    if not base.is_dir():
        pytest.skip("needs LFW")
    folds = read_people(base / "people.txt", base / "images")
    assert len(folds) == 10
    assert sum(map(len, folds)) == len({name for fold in folds for name in fold}) == 5749
    assert len(groups(real_root)["dev"]) == 4038
    assert set(groups(real_root)["without-fold-10"]).isdisjoint(folds[9])
    lines = [line.split("\t") for line in (base / "pairs.txt").read_text().splitlines()[1:]]
    for number, fold in enumerate(folds):
        pairs = lines[600 * number : 600 * (number + 1)]
        people = {pair[0] for pair in pairs} | {pair[2] for pair in pairs if len(pair) == 4}
        assert people <= set(fold)


@pytest.mark.data
@pytest.mark.slow
def test_real_images(real_root: Path) -> None:
    if not (real_root / "lfw").is_dir():
        pytest.skip("needs LFW")
    images = load("lfw", "all", root=real_root)
    assert (len(images), len(images.class_names), images.channels) == (9164, 1680, 3)
    train = load("lfw:dev", "train", root=real_root)
    assert len(train.class_names) == 1184
    assert int(train.labels.bincount(minlength=1184).min()) >= 1
