"""torchvision's files are read as torchvision lays them out: small ones are made here, and its checksums are passed over."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from drumlin.data import Images, load


def idx(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes([0, 0, 8, values.ndim]) + b"".join(side.to_bytes(4, "big") for side in values.shape)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


def loaded(spec: str, split: str, root: Path, **options: int) -> Images:
    images = load(spec, split, root=root, **options)
    assert isinstance(images, Images)
    return images


@pytest.mark.parametrize(("name", "folder", "first"), [("mnist", "MNIST", "0"), ("kmnist", "KMNIST", "o")])
def test_idx(tmp_path: Path, name: str, folder: str, first: str) -> None:
    for stem, n in (("train", 6), ("t10k", 4)):
        images = np.arange(n)[:, None, None] * np.ones((1, 28, 28)) + n
        idx(tmp_path / folder / "raw" / f"{stem}-images-idx3-ubyte", images)
        idx(tmp_path / folder / "raw" / f"{stem}-labels-idx1-ubyte", np.arange(n)[::-1])
    train, test = loaded(name, "train", tmp_path), loaded(name, "test", tmp_path)
    assert train.pixels[:, 0, 5, 5].tolist() == [6, 7, 8, 9, 10, 11]
    assert train.labels.tolist() == [5, 4, 3, 2, 1, 0]
    assert test.pixels[:, 0, 5, 5].tolist() == [4, 5, 6, 7]
    assert (train.class_names[0], len(train.class_names)) == (first, 10)
    assert len(loaded(name, "all", tmp_path)) == 10


def test_damaged_files_are_no_missing_ones(tmp_path: Path) -> None:
    for stem in ("train", "t10k"):
        idx(tmp_path / "MNIST/raw" / f"{stem}-images-idx3-ubyte", np.zeros((2, 28, 28)))
        idx(tmp_path / "MNIST/raw" / f"{stem}-labels-idx1-ubyte", np.zeros(2))
    path = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        ValueError, match=r"'mnist' under .* is damaged or not whole .*drumlin datasets mnist --download"
    ):
        load("mnist", "train", root=tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match="is damaged or not whole"):
        load("mnist", "train", root=tmp_path)


def test_a_pickle_that_is_not_the_authors_is_never_opened(tmp_path: Path) -> None:
    opened = tmp_path / "opened"

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return Path.touch, (opened,)

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]:
        (folder / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"'cifar10' under .* is damaged or not whole"):
        load("cifar10", "test", root=tmp_path)
    assert not opened.exists()


def test_cifar_is_turned_to_channels_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    data = np.zeros((2, 3, 32, 32), np.uint8)
    data[1, 2, 4, 7] = 99
    content = {"data": data.reshape(2, -1), "fine_labels": [1, 0]}
    (folder / "train").write_bytes(pickle.dumps(content))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": ["apple", "bee"]}))
    images = loaded("cifar100", "train", tmp_path)
    assert torch.equal(images.pixels, torch.from_numpy(data))
    assert (images.labels.tolist(), images.class_names) == ([1, 0], ("apple", "bee"))


def test_svhn_is_turned_to_channels_first_and_ten_is_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.io import savemat

    monkeypatch.setattr("torchvision.datasets.svhn.check_integrity", lambda *_: True)
    data = np.zeros((32, 32, 3, 2), np.uint8)
    data[4, 7, 2, 1] = 99
    savemat(tmp_path / "test_32x32.mat", {"X": data, "y": np.array([[10], [3]], np.uint8)})
    images = loaded("svhn", "test", tmp_path)
    assert images.pixels[1, 2, 4, 7] == 99
    assert images.pixels.sum() == 99
    assert (images.labels.tolist(), images.class_names[0]) == ([0, 3], "0")


def test_omniglot_is_inverted_and_made_28_pixels(
    tmp_path: Path, make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.datasets.omniglot.check_integrity", lambda *_: True)
    base = "omniglot-py/images_evaluation"
    root = make_folder(
        {f"{base}/Greek/character0{i}/{j}.png": ("1", (105, 105), 1) for i in (1, 2) for j in range(2)}
        | {f"{base}/Atlantean/character01/1.png": ("1", (105, 105), 0)}
    )
    images = loaded("omniglot", "test", root)
    assert images.class_names == ("Atlantean/character01", "Greek/character01", "Greek/character02")
    assert images.labels.tolist() == [0, 1, 1, 2, 2]
    assert images.pixels.shape == (5, 1, 28, 28)
    assert images.pixels[0].unique().tolist() == [255]
    assert images.pixels[1:].unique().tolist() == [0]


def test_textures_of_different_sizes_are_the_test_split_alone(make_folder: Callable[..., Path]) -> None:
    root = make_folder(
        {
            "dtd/dtd/images/dotted/1.jpg": ("RGB", (40, 30), (200, 0, 0)),
            "dtd/dtd/images/lined/1.jpg": ("RGB", (50, 60), (0, 0, 200)),
            "dtd/dtd/images/lined/2.jpg": ("RGB", (50, 60), (0, 200, 0)),
        }
    )
    (root / "dtd/dtd/labels").mkdir()
    (root / "dtd/dtd/labels/test1.txt").write_text("dotted/1.jpg\nlined/2.jpg\n")
    images = loaded("textures", "test", root, image_size=20)
    assert images.pixels.shape == (2, 3, 20, 20)
    assert images.pixels[:, :, 10, 10].argmax(1).tolist() == [0, 1]
    assert (images.labels.tolist(), images.class_names) == ([0, 1], ("dotted", "lined"))
    with pytest.raises(ValueError, match="--image-size"):
        load("textures", "test", root=root)


def test_jpeg_pictures_keep_their_colours(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (200, 100, 50)).save(tmp_path / "a.jpg", quality=95)
    pixels = loaded(f"folder:{tmp_path}", "all", tmp_path).pixels[0, :, 4, 4].int()
    assert (pixels - torch.tensor([200, 100, 50])).abs().max() <= 3
