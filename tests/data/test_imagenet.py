from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drumlin.data import ImageFiles, Images, datasets, load

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand classes: an image each for validation, two for training; red is a fifth of the class."""
    from PIL import Image

    root = tmp_path_factory.mktemp("root")
    for i in range(1000):
        for split, names in {"train": ("a", "b"), "val": ("a",)}.items():
            folder = root / "imagenet" / split / f"n{i:08}"
            folder.mkdir(parents=True)
            for name in names:
                Image.new("RGB", (2, 2), (i // 5, i % 256, 0)).save(folder / f"{name}.JPEG", "PNG")
    return root


def loaded(spec: str, split: str, root: Path) -> Images:
    images = load(spec, split, root=root)
    assert isinstance(images, Images)
    return images


def test_classes_have_names_all_different(whole: Path) -> None:
    test = loaded("imagenet", "test", whole)
    names = test.class_names
    assert len(set(names)) == len(names) == 1000
    assert (names[0], names[207], names[999]) == ("tench", "golden retriever", "toilet tissue")
    assert names[134] != names[517]  # cranes, the bird and the machine
    assert test.labels.tolist() == list(range(1000))
    assert loaded("imagenet:golden retriever,0", "train", whole).class_names == ("tench", "golden retriever")


def test_every_fifth_class(whole: Path) -> None:
    train, test = loaded("ilsvrc-200", "train", whole), loaded("ilsvrc-200", "test", whole)
    assert (len(train), len(test), len(test.class_names)) == (400, 200, 200)
    assert test.pixels[:, 0, 0, 0].tolist() == list(range(200))
    assert test.labels.tolist() == list(range(200))
    assert train.labels.tolist() == [i // 2 for i in range(400)]
    everything = loaded("imagenet", "test", whole).class_names
    assert test.class_names == train.class_names == everything[::5]
    assert test.name == "ilsvrc-200"
    present = {row.name: row.present for row in datasets(whole)}
    assert present["imagenet"] == present["ilsvrc-200"] == ("train", "test")


def test_some_classes_keep_their_numbers_as_names(make_folder: Make) -> None:
    root = make_folder(
        {f"imagenet/{s}/{wnid}/1.JPEG": ("RGB", (4, 4), 0) for s in ("train", "val") for wnid in ("n02", "n01")}
    )
    assert loaded("imagenet", "train", root).class_names == ("n01", "n02")
    with pytest.raises(ValueError, match="imagenet has 2 classes; which 200 are meant can be told of all 1000 alone"):
        load("ilsvrc-200", "train", root=root)


def test_it_says_what_to_download_and_where_to_put_it(make_folder: Make) -> None:
    root = make_folder({"imagenet/val/n01/1.JPEG": ("RGB", (4, 4), 0), "imagenet/val/n02/1.JPEG": ("RGB", (4, 4), 0)})
    message = (
        r"the train split of data set 'ilsvrc-200' was not found \(only its test split is under .*looked under .* for imagenet/train,"
        r".*cannot be downloaded by drumlin: register at image-net.org, download ILSVRC2012_img_train.tar.*imagenet/train/WNID"
    )
    for download in (False, True):
        with pytest.raises(ValueError, match=message):
            load("ilsvrc-200", "train", root=root, download=download)
    assert len(loaded("imagenet", "all", root)) == 2


def test_files_of_different_sizes_need_one(make_folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drumlin.data.opening.MAX_DECODED_BYTES", 10)
    sizes = {"n01": (6, 4), "n02": (4, 6)}
    root = make_folder({f"imagenet/val/{wnid}/1.JPEG": ("L", size, 0) for wnid, size in sizes.items()})
    with pytest.raises(ValueError, match=r"n02/1.JPEG is 4x6 pixels but .*n01/1.JPEG is 6x4; .*--image-size"):
        load("imagenet", "test", root=root)
    images = load("imagenet", "test", root=root, image_size=4)
    assert isinstance(images, ImageFiles)
    assert (images.size, images.channels) == ((4, 4), 1)


def test_a_person_gives_two_images_of_three_to_training(make_folder: Make) -> None:
    people = {"0000045": 9, "0000099": 3, "0000100": 6}
    root = make_folder(
        {
            f"casia-webface/{name}/{i:03}.jpg": ("RGB", (8, 8), (20 * i, 0, 0))
            for name, n in people.items()
            for i in range(n)
        }
    )
    train, test = loaded("casia-webface", "train", root), loaded("casia-webface", "test", root)
    assert train.labels.bincount().tolist() == [6, 2, 4]
    assert test.labels.bincount().tolist() == [3, 1, 2]
    assert train.class_names == tuple(people)
    assert "a stratified 33% of its images (seed 0)" in test.note
    assert len(loaded("casia-webface", "all", root)) == 18
    (root / "casia-webface/0000123").mkdir()
    with pytest.raises(ValueError, match=r"class folder .*0000123 holds no images"):
        load("casia-webface", "train", root=root)


def test_faces_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"by drumlin: ask its authors .*drumlin datasets --align.* casia-webface/PERSON/\*.jpg"
    ):
        load("casia-webface", "train", root=tmp_path)


def test_frgc_is_for_testing_alone(make_folder: Make) -> None:
    root = make_folder({f"frgc/{name}/{i}.jpg": ("RGB", (8, 8), 0) for name in ("04200", "04201") for i in range(3)})
    assert loaded("frgc", "test", root).labels.tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(ValueError, match="'frgc' has only a test split"):
        load("frgc", "train", root=root)
