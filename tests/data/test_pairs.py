from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from drumlin.data.pairs import Pairs, read_pairs

GREY = ("L", (4, 4), 0)
Make = Callable[..., Path]


@pytest.fixture
def people(make_folder: Make) -> Path:
    """Ann with three images, Bo with two, Cy with one; the value of an image says whose it is, and which."""
    who = {"Ann": 3, "Bo": 2, "Cy": 1}
    images = {
        f"{name}/{name}_{i:04d}.jpg": ("L", (4, 4), 10 * i + number)
        for number, (name, count) in enumerate(who.items())
        for i in range(1, count + 1)
    }
    return make_folder(images, "people")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "set" / "pairs.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def named(pairs: Pairs) -> list[tuple[str, str]]:
    return [(pairs.tree.names[i], pairs.tree.names[j]) for i, j in pairs.index.tolist()]


VIEW_2 = "2\t1\nAnn\t1\t3\nAnn\t2\tBo\t1\nBo\t1\t2\nCy\t1\tBo\t2\n"


def test_lfw_with_folds(people: Path, write: Callable[[str], Path]) -> None:
    pairs = read_pairs(write(VIEW_2), people)
    assert named(pairs) == [
        ("Ann/Ann_0001.jpg", "Ann/Ann_0003.jpg"),
        ("Ann/Ann_0002.jpg", "Bo/Bo_0001.jpg"),
        ("Bo/Bo_0001.jpg", "Bo/Bo_0002.jpg"),
        ("Cy/Cy_0001.jpg", "Bo/Bo_0002.jpg"),
    ]
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [0, 0, 1, 1]
    assert (pairs.folds, len(pairs), pairs.name) == (2, 4, "set/pairs.txt")
    assert len(pairs.tree) == 6  # each image once
    assert pairs.people == {"Ann", "Bo", "Cy"}


def test_lfw_without_folds(people: Path, write: Callable[[str], Path]) -> None:
    pairs = read_pairs(write("2\nAnn\t1\t2\nBo\t1\t2\nAnn\t1\tBo\t1\nAnn\t3\tCy\t1\n\n"), people)
    assert pairs.same.tolist() == [True, True, False, False]
    assert pairs.fold.tolist() == [0] * 4
    assert pairs.folds == 1


def test_lfw_without_people(make_folder: Make, write: Callable[[str], Path]) -> None:
    flat = make_folder({"Ann_0001.jpg": GREY}, "flat")
    with pytest.raises(ValueError, match=r"flat has no folder of a person, NAME/NAME_0001\.jpg"):
        read_pairs(write("1\nAnn\t1\t2\nAnn\t1\tBo\t1\n"), flat)


def test_lfw_with_another_ending(make_folder: Make, write: Callable[[str], Path]) -> None:
    base = make_folder({"Jo/Jo_0001.png": GREY, "Jo/Jo_0012.png": GREY, "Al B/Al B_0001.png": GREY})
    pairs = read_pairs(write("1\nJo\t1\t12\nAl B\t1\tJo\t1\n"), base)  # names with blanks, as some sets have them
    assert named(pairs) == [("Jo/Jo_0001.png", "Jo/Jo_0012.png"), ("Al B/Al B_0001.png", "Jo/Jo_0001.png")]


def test_paths(people: Path, write: Callable[[str], Path]) -> None:
    text = "Ann/Ann_0001.jpg Cy/Cy_0001.jpg 0\n\n./Ann/Ann_0001.jpg\tAnn/Ann_0002.jpg\t1\n"
    pairs = read_pairs(write(text), people)
    assert named(pairs) == [("Ann/Ann_0001.jpg", "Cy/Cy_0001.jpg"), ("Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg")]
    assert pairs.same.tolist() == [False, True]
    assert pairs.folds == 1
    folded = read_pairs(write("Ann/Ann_0001.jpg Cy/Cy_0001.jpg 0 4\nBo/Bo_0001.jpg Cy/Cy_0001.jpg 0 11\n"), people)
    assert folded.fold.tolist() == [4, 11]
    assert folded.folds == 2


def test_images_are_those_of_the_tree_in_its_order(people: Path, write: Callable[[str], Path], tmp_path: Path) -> None:
    images = read_pairs(write(VIEW_2), people).images(channels=1, root=tmp_path)
    assert images.float().mul(255).round()[:, 0, 0, 0].tolist() == [10, 30, 20, 11, 21, 12]
    assert images.labels.tolist() == [0] * 6
    assert read_pairs(write(VIEW_2), people).images(channels=3, size=8, root=tmp_path).float().shape == (6, 3, 8, 8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # LFW's
        (VIEW_2.replace("Ann\t1\t3", "Ann\t1\t4"), r"line 2: Ann has no image 4: Ann_0004\.\* is not in .*Ann"),
        (VIEW_2.replace("Cy\t1", "Cyy\t1"), r"line 5: unknown person 'Cyy': did you mean 'Cy'\?"),
        (VIEW_2.replace("Bo\t2", "../people/Bo\t2"), "line 5: unknown person '../people/Bo'"),
        (VIEW_2.replace("Ann\t1\t3", "Ann\tone\t3"), "line 2: the number of an image is due after Ann, not 'one'"),
        (VIEW_2.replace("Ann\t1\t3", "Ann\t1"), "line 2: here a pair of one person is due, NAME I J, not 'Ann 1'"),
        (VIEW_2.replace("\tBo\t1", "\tBo"), "line 3: here a pair of two is due, NAME I OTHER J, not 'Ann 2 Bo'"),
        (VIEW_2.replace("Bo\t1\t2", "Bo\t1\tAnn\t2"), "line 4: here a pair of one person is due"),
        (VIEW_2[: VIEW_2.index("Cy")], "line 4: the file ends after 3 of the 4 pairs that it announces"),
        (VIEW_2[:-3], "line 5: here a pair of two is due"),  # cut off in mid-line
        (VIEW_2 + "Ann\t1\t2\n", "line 6: one pair more than the 4 that the first line announces"),
        ("0\n", "line 1: the first line says how many pairs there are"),
        ("2\t1\n", "line 1: the file ends after 0 of the 4 pairs"),
        # of paths
        ("Ann/Ann_0001.jpg Bo/Bo_0001.jpg 0\nAnn/x.jpg Bo/Bo_0001.jpg 1", "line 2: image Ann/x.jpg is not in "),
        ("Ann Bo/Bo_0001.jpg 0", "line 1: image Ann is not in "),  # a folder
        ("Ann/Ann_0001.jpg /Bo.jpg 0", "line 1: image /Bo.jpg is not relative to the folder of images"),
        ("\nAnn/Ann_0001.jpg Bo/Bo_0001.jpg 2", r"line 2: a pair is PATH PATH SAME .*, SAME 0 or 1, not 'Ann/"),
        ("Ann/Ann_0001.jpg Bo/Bo_0001.jpg", "line 1: a pair is PATH PATH SAME"),
        ("Ann/Ann_0001.jpg Bo/Bo_0001.jpg 0 x", "line 1: the fold is a whole number of at least 0, not 'x'"),
        ("Ann/Ann_0001.jpg Bo/Bo_0001.jpg 0 1\nAnn/Ann_0001.jpg Bo/Bo_0001.jpg 0", "line 2: either every pair has a"),
        (" \n\n", "is empty"),
    ],
)
def test_a_file_that_will_not_do(people: Path, write: Callable[[str], Path], text: str, message: str) -> None:
    file = write(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_pairs(file, people)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(people: Path, write: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nosuch\.txt cannot be read: No such file"):
        read_pairs(tmp_path / "nosuch.txt", people)
    with pytest.raises(ValueError, match=r"folder of images .*nowhere does not exist"):
        read_pairs(write(VIEW_2), tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is no text"):
        read_pairs(people / "Ann" / "Ann_0001.jpg", people)


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "folds", "pairs", "images"),
    [("pairs.txt", 10, 6000, 7701), ("pairsDevTrain.txt", 1, 2200, None), ("pairsDevTest.txt", 1, 1000, None)],
)
def test_the_files_of_lfw(real_root: Path, file: str, folds: int, pairs: int, images: int | None) -> None:
    place = real_root / "lfw"
    if not place.is_dir():
        pytest.skip("needs LFW under DRUMLIN_DATA")
    found = read_pairs(place / file, place / "images")
    assert (found.folds, len(found), int(found.same.sum())) == (folds, pairs, pairs // 2)
    assert found.fold.bincount().tolist() == [pairs // folds] * folds
    persons = [tuple(os.path.dirname(name) for name in pair) for pair in named(found)]
    assert [a == b for a, b in persons] == found.same.tolist()
    assert images is None or len(found.tree) == images
    last = (place / file).read_text().splitlines()[-1].split("\t")
    assert named(found)[-1] == tuple(f"{name}/{name}_{int(i):04d}.jpg" for name, i in (last[:2], last[2:]))
    some = found.tree.subset(torch.arange(3))
    assert all(path.is_file() for path in some.paths)
