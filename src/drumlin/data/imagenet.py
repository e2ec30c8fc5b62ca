"""ImageNet (ILSVRC 2012) and a fifth of its classes, from the folders that its archives unpack to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from drumlin.data.folders import Tree, scan_splits

FOLDER = "imagenet"
"""Where it lies under the data root: `train/` and `val/` with a folder a class, named by WordNet number (WNID)."""

BY_HAND = (
    "register at image-net.org, download ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, and unpack them to "
    f"{FOLDER}/train/WNID/*.JPEG and {FOLDER}/val/WNID/*.JPEG under the data root, as torchvision.datasets.ImageNet does"
)
"""How to get it."""

CLASSES = 1000
_STEP = 5


def read_imagenet(root: Path, split: str, download: bool) -> Tree:
    """Return a split's files; the validation images are the test split. Classes are in the order of their WNIDs.

    Of all 1000 classes the names are torchvision's ("tench"), of fewer the folders' own, the WNIDs.

    Raises:
        ValueError: as `scan_splits`; the split is not there.
    """
    trees = scan_splits(root / FOLDER)
    if split not in trees:
        raise ValueError(f"{root / FOLDER} has no {'train' if split == 'train' else 'val'}/ with class folders")
    tree = trees[split]
    return replace(tree, class_names=_names() or tree.class_names) if len(tree.class_names) == CLASSES else tree


def read_ilsvrc_200(root: Path, split: str, download: bool) -> Tree:
    """Return a split's files of every fifth of ImageNet's 1000 classes in the order of their WNIDs: 0, 5, 10, ..., 995.

    I section 4.1.2 takes 200 classes and does not say which. The order of WNIDs follows the WordNet tree: every fifth spreads
    over it, where the first 200 would be fish, birds, reptiles and dogs.

    Raises:
        ValueError: other than 1000 classes, and as `read_imagenet`.
    """
    tree = read_imagenet(root, split, download)
    if len(tree.class_names) != CLASSES:
        raise ValueError(
            f"{root / FOLDER} has {len(tree.class_names)} classes; which 200 are meant can be told of all {CLASSES} alone"
        )
    return tree.of_classes(range(0, CLASSES, _STEP))


def _names() -> tuple[str, ...]:
    """Return torchvision's names of the 1000 classes, in the order of their WNIDs; none without torchvision."""
    try:
        from torchvision.models import ResNet50_Weights
    except ImportError:
        return ()
    return tuple(ResNet50_Weights.IMAGENET1K_V2.meta["categories"])
