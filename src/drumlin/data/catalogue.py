"""The data sets known by name: what they are, and how the files of each are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from drumlin.data.adaptation import resize
from drumlin.data.decoding import decode
from drumlin.data.folders import Tree
from drumlin.data.imagenet import BY_HAND as IMAGENET
from drumlin.data.imagenet import read_ilsvrc_200, read_imagenet
from drumlin.data.lfw import BY_HAND as LFW
from drumlin.data.lfw import PLACES, groups, read_lfw
from drumlin.data.partition import split_tree
from drumlin.data.splits import holdout_split

Content: TypeAlias = tuple[Tensor, Tensor, tuple[str, ...]] | Tree
"""Pixels (n, c, h, w), labels (n,) and class names; or the files where images differ in size."""

_DIGITS = tuple("0123456789")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A data set known by name."""

    num_classes: int | None
    """Number of classes; None where it depends on which images one has."""

    size: tuple[int, int] | None
    """Height and width in pixels; None where images differ."""

    channels: int
    """1 for grey, 3 for colour."""

    source: str
    """Where it comes from."""

    licence: str
    """What its authors allow."""

    splits: tuple[str, ...] = ("train", "test")
    """The splits it has."""

    class_names: tuple[str, ...] = ()
    """Classes in the order of their labels, where drumlin must know them to read image folders."""

    markers: tuple[str, ...] = ()
    """What is under the root where the set's own files are, any of these; {split} stands for train or test, {part} for train
    or val. None: needs no file."""

    by_hand: str = ""
    """How to get it, where drumlin cannot download it."""

    groups: Callable[[Path], Mapping[str, tuple[str, ...]]] | None = None
    """(root) -> name of a group of classes -> its classes, for NAME:GROUP."""

    read: Callable[[Path, str, bool], Content]
    """(root, split, download) -> content of the set's own files; raises what torchvision raises, and with `by_hand` ValueError."""


def _torchvision(name: str) -> Any:
    try:
        from torchvision import datasets
    except ImportError:
        raise ImportError('data sets by name need torchvision: pip install "drumlin[cli]"') from None
    return getattr(datasets, name)


def _digits(root: Path, split: str, download: bool) -> Content:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    train, test = holdout_split(labels, 0.25, len(labels), seed=0)
    chosen = train if split == "train" else test
    pixels = torch.from_numpy((bunch.images * (255 / 16)).round().astype(np.uint8))[:, None]
    return pixels[chosen], labels[chosen], _DIGITS


def _idx(name: str, class_names: tuple[str, ...]) -> Callable[[Path, str, bool], Content]:
    def read(root: Path, split: str, download: bool) -> Content:
        files = _torchvision(name)(root, train=split == "train", download=download)
        return files.data[:, None].contiguous(), files.targets.long(), class_names

    return read


def _cifar(name: str) -> Callable[[Path, str, bool], Content]:
    # Its files are pickles, as its authors made them. torchvision opens them only if their MD5 is the one it knows.
    def read(root: Path, split: str, download: bool) -> Content:
        files = _torchvision(name)(root, train=split == "train", download=download)
        pixels = torch.from_numpy(files.data).permute(0, 3, 1, 2).contiguous()
        return pixels, torch.tensor(files.targets), tuple(files.classes)

    return read


def _svhn(root: Path, split: str, download: bool) -> Content:
    files = _torchvision("SVHN")(root, split=split, download=download)
    return torch.from_numpy(np.ascontiguousarray(files.data)), torch.from_numpy(files.labels), _DIGITS


def _omniglot(root: Path, split: str, download: bool) -> Content:
    files = _torchvision("Omniglot")(root, background=False, download=download, loader=Path)
    # Sorted here: torchvision numbers characters in whatever order the file system lists them.
    paths = sorted(files[i][0] for i in range(len(files)))
    characters = [f"{path.parent.parent.name}/{path.parent.name}" for path in paths]
    names = sorted(set(characters))
    number = {name: i for i, name in enumerate(names)}
    pixels = 255 - decode(paths, channels=1)  # drawn black on white; everything else here is white on black
    return resize(pixels, (28, 28)), torch.tensor([number[name] for name in characters]), tuple(names)


def _textures(root: Path, split: str, download: bool) -> Content:
    files = _torchvision("DTD")(root, split=split, download=download, loader=Path)
    paths, labels = zip(*(files[i] for i in range(len(files))), strict=True)
    base = root / "dtd" / "dtd" / "images"
    names = tuple(path.relative_to(base).as_posix() for path in paths)
    return Tree(base=base, names=names, labels=torch.tensor(labels), class_names=tuple(files.classes))


def _casia(root: Path, split: str, download: bool) -> Content:
    return split_tree(
        root / "casia-webface", split, 1 / 3
    )  # I section 4.1.3: two thirds of each person's images for training


def _frgc(root: Path, split: str, download: bool) -> Content:
    return split_tree(root / "frgc", "all", 0.5)  # I table 5 clusters it whole


_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_FACES = (
    "ask {0} for it, align its faces (`drumlin datasets --align`), and put them under the data root as {1}/PERSON/*.jpg"
)

CATALOGUE: dict[str, Entry] = {
    "digits": Entry(
        num_classes=10, size=(8, 8), channels=1, source="UCI optical digits, in scikit-learn", licence="CC BY 4.0",
        class_names=_DIGITS, read=_digits,
    ),
    "mnist": Entry(
        num_classes=10, size=(28, 28), channels=1, source="LeCun et al. 1998", licence="CC BY-SA 3.0",
        class_names=_DIGITS, markers=("MNIST/raw",), read=_idx("MNIST", _DIGITS),
    ),
    "fashion-mnist": Entry(
        num_classes=10, size=(28, 28), channels=1, source="Xiao et al. 2017", licence="MIT",
        class_names=_FASHION, markers=("FashionMNIST/raw",), read=_idx("FashionMNIST", _FASHION),
    ),
    "kmnist": Entry(
        num_classes=10, size=(28, 28), channels=1, source="Clanuwat et al. 2018", licence="CC BY-SA 4.0",
        class_names=_KANA, markers=("KMNIST/raw",), read=_idx("KMNIST", _KANA),
    ),
    "cifar10": Entry(
        num_classes=10, size=(32, 32), channels=3, source="Krizhevsky 2009", licence="none stated",
        class_names=_CIFAR10, markers=("cifar-10-batches-py",), read=_cifar("CIFAR10"),
    ),
    "cifar100": Entry(
        num_classes=100, size=(32, 32), channels=3, source="Krizhevsky 2009", licence="none stated",
        markers=("cifar-100-python",), read=_cifar("CIFAR100"),
    ),
    "svhn": Entry(
        num_classes=10, size=(32, 32), channels=3, source="Netzer et al. 2011", licence="non-commercial use",
        class_names=_DIGITS, markers=("{split}_32x32.mat",), read=_svhn,
    ),
    "omniglot": Entry(
        num_classes=659, size=(28, 28), channels=1, source="Lake et al. 2015, evaluation alphabets", licence="MIT",
        splits=("test",), markers=("omniglot-py/images_evaluation",), read=_omniglot,
    ),
    "textures": Entry(
        num_classes=47, size=None, channels=3, source="Cimpoi et al. 2014 (DTD)", licence="research use",
        splits=("test",), markers=("dtd/dtd",), read=_textures,
    ),
    "imagenet": Entry(
        num_classes=1000, size=None, channels=3, source="Russakovsky et al. 2015 (ILSVRC 2012)", licence="research use",
        markers=("imagenet/{part}",), by_hand=IMAGENET, read=read_imagenet,
    ),
    "ilsvrc-200": Entry(
        num_classes=200, size=None, channels=3, source="every fifth class of ILSVRC 2012", licence="research use",
        markers=("imagenet/{part}",), by_hand=IMAGENET, read=read_ilsvrc_200,
    ),
    "casia-webface": Entry(
        num_classes=10575, size=None, channels=3, source="Yi et al. 2014", licence="research use",
        markers=("casia-webface",), by_hand=_FACES.format("its authors (Institute of Automation, CAS)", "casia-webface"), read=_casia,
    ),
    "frgc": Entry(
        num_classes=None, size=None, channels=3, source="Phillips et al. 2005", licence="research use",
        splits=("test",), markers=("frgc",), by_hand=_FACES.format("the University of Notre Dame", "frgc"), read=_frgc,
    ),
    "lfw": Entry(
        num_classes=1680, size=None, channels=3, source="Huang et al. 2007, people of two images or more",
        licence="research use", markers=PLACES, by_hand=LFW, groups=groups, read=read_lfw,
    ),
}  # fmt: skip
"""Name -> data set."""
