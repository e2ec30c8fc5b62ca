from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from drumlin.data import ImageFiles, Images, datasets, load
from drumlin.settings.data import AUGMENT_DEFAULTS

GREY = ("L", (28, 28), 0)


def test_digits() -> None:
    train, test, whole = (load("digits", split) for split in ("train", "test", "all"))
    assert isinstance(train, Images)
    assert isinstance(test, Images)
    assert isinstance(whole, Images)
    assert (len(train), len(test), len(whole)) == (1348, 449, 1797)
    assert (whole.size, whole.channels, whole.class_names) == ((8, 8), 1, tuple("0123456789"))
    assert torch.equal(whole.pixels, torch.cat([train.pixels, test.pixels]))
    counts = whole.labels.bincount()
    assert (test.labels.bincount() - counts / 4).abs().max() < 1
    # 0..16 become 0..255: 16 levels of 15.94
    assert set(whole.pixels.unique().tolist()) == {round(v * 255 / 16) for v in range(17)}
    assert not {row.numpy().tobytes() for row in train.pixels} & {row.numpy().tobytes() for row in test.pixels}


def test_classes_are_chosen_and_renumbered() -> None:
    whole, some = load("digits", "test"), load("digits:9,3-4", "test")
    assert isinstance(whole, Images)
    assert isinstance(some, Images)
    assert (some.class_names, some.name, some.split) == (("3", "4", "9"), "digits:9,3-4", "test")
    kept = sum(whole.labels == k for k in (3, 4, 9)).bool()  # type: ignore[union-attr]
    assert torch.equal(some.pixels, whole.pixels[kept])
    assert torch.equal(torch.tensor([3, 4, 9])[some.labels], whole.labels[kept])


def test_channels_and_size() -> None:
    assert load("digits", "test", channels=3, image_size=12).float([0]).shape == (1, 3, 12, 12)


def test_what_is_not_there_is_answered_with_where_and_how(tmp_path: Path) -> None:
    message = (
        f"the test split of data set 'mnist' was not found: looked under {tmp_path} for MNIST/raw, mnist/test/CLASS, "
        "ood/mnist/CLASS. Download it with `drumlin datasets mnist --download`"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        load("mnist", "test", root=tmp_path)
    with pytest.raises(ValueError, match=r"train split of data set 'svhn' .* for train_32x32\.mat, svhn/train/CLASS\."):
        load("svhn", "all", root=tmp_path / "nowhere")


def test_a_set_for_testing_alone() -> None:
    with pytest.raises(ValueError, match="'omniglot' has only a test split: it can be tested on, not trained on"):
        load("omniglot", "train")


def test_image_folders_under_the_root(make_folder: Callable[..., Path]) -> None:
    root = make_folder(
        {f"cifar10/{s}/{c}/1.png": ("RGB", (32, 32), (9, 8, 7)) for s in ("train", "test") for c in ("cat", "ape")}
    )
    train = load("cifar10", "train", root=root)
    assert (len(train), train.size, train.channels, train.class_names) == (2, (32, 32), 3, ("ape", "cat"))
    assert (root / ".drumlin-cache").is_dir()
    assert len(load("cifar10", "all", root=root)) == 4
    cats = load("cifar10:cat", "all", root=root)
    assert (len(cats), cats.labels.tolist(), cats.class_names) == (2, [0, 0], ("cat",))


def test_ood_folders_are_a_test_split_alone(make_folder: Callable[..., Path]) -> None:
    root = make_folder({f"ood/fashion-mnist/{i}/1.png": ("L", (28, 28), i) for i in range(10)})
    test = load("fashion-mnist", "test", root=root)
    assert isinstance(test, Images)
    assert test.pixels[:, 0, 0, 0].tolist() == test.labels.tolist() == list(range(10))
    assert test.class_names[9] == "Ankle boot"  # as torchvision's files have it, though folders here have numbers
    assert len(load("fashion-mnist", "all", root=root)) == 10
    assert load("fashion-mnist:Bag,Coat", "test", root=root).class_names == ("Coat", "Bag")
    with pytest.raises(
        ValueError, match=r"train split of data set 'fashion-mnist' was not found .only its test split is"
    ):
        load("fashion-mnist", "train", root=root)


def test_splits_with_different_classes_are_not_joined(make_folder: Callable[..., Path]) -> None:
    root = make_folder({"mnist/train/a/1.png": GREY, "mnist/train/b/1.png": GREY, "ood/mnist/c/1.png": GREY})
    with pytest.raises(ValueError, match=r"splits of data set 'mnist' under .* have different classes"):
        load("mnist", "all", root=root)


def test_large_folders_of_a_named_set_are_left_as_files(
    make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(
        {f"cifar10/{s}/{c}/1.png": ("RGB", (32, 32), (9, 8, 7)) for s in ("train", "test") for c in "ab"}
    )
    monkeypatch.setattr("drumlin.data.opening.MAX_DECODED_BYTES", 100)
    images = load("cifar10:b", "all", root=root)
    assert isinstance(images, ImageFiles)
    assert (images.labels.tolist(), images.class_names, images.name) == ([0, 0], ("b",), "cifar10:b")
    assert images.tree.names == ("train/b/1.png", "test/b/1.png")


def test_download_into_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot be written .*nothing can be downloaded into it"):
        load("mnist", "train", root=tmp_path / "file" / "root", download=True)


def test_a_failed_download_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from urllib.error import URLError

    def fail(*args: object, **options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", fail)
    with pytest.raises(ValueError, match=r"'mnist' under .* could not be downloaded or read .*(?s:.*)no route to host"):
        load("mnist", "train", root=tmp_path, download=True)


def test_the_table(make_folder: Callable[..., Path]) -> None:
    root = make_folder({f"cifar10/train/{c}/1.png": GREY for c in "ab"} | {"ood/omniglot/Greek/1.png": GREY})
    table = {row.name: row for row in datasets(root)}
    assert list(table) == list(AUGMENT_DEFAULTS)
    present = {name: row.present for name, row in table.items() if row.present}
    assert present == {"digits": ("train", "test"), "cifar10": ("train",), "omniglot": ("test",)}
    assert (table["svhn"].num_classes, table["svhn"].size, table["svhn"].channels) == (10, (32, 32), 3)
    assert all(row.licence and row.source for row in table.values())


@pytest.mark.data
def test_real_mnist(real_root: Path) -> None:
    train, test = load("mnist", "train", root=real_root), load("mnist", "test", root=real_root)
    assert isinstance(train, Images)
    assert train.pixels.shape == (60_000, 1, 28, 28)
    assert train.labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (train.float(slice(0, 2000)).mean() - 0.1307).abs() < 0.005
    assert len(load("mnist:0-7", "test", root=real_root)) == 10_000 - 974 - 1009


@pytest.mark.data
@pytest.mark.slow
def test_real_cifar10(real_root: Path) -> None:
    train, test = load("cifar10", "train", root=real_root), load("cifar10", "test", root=real_root)
    assert isinstance(train, Images)
    assert train.pixels.shape == (50_000, 3, 32, 32)
    assert train.labels.bincount().tolist() == [5000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
    assert train.class_names[3] == "cat"
    again = load("cifar10", "train", root=real_root)
    assert again.fingerprint == train.fingerprint
    means = train.pixels.double().mean(dim=(0, 2, 3)) / 255
    assert (means - torch.tensor([0.4914, 0.4822, 0.4465])).abs().max() < 0.001


@pytest.mark.data
def test_real_sets_out_of_distribution(real_root: Path) -> None:
    for name, n, size, channels in [
        ("fashion-mnist", 10_000, (28, 28), 1),
        ("omniglot", 2_720, (28, 28), 1),
        ("textures", 1_200, (32, 32), 3),
    ]:
        images = load(name, "test", root=real_root)
        assert (len(images), images.size, images.channels) == (n, size, channels)
