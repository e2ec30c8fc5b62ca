"""Out-of-distribution sets: made from a set, or another set brought to its channels and size."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import torch

from drumlin._io import unknown
from drumlin.data.adaptation import adapt
from drumlin.data.catalogue import CATALOGUE
from drumlin.data.folders import UNKNOWN, split_folders
from drumlin.data.images import Images
from drumlin.data.loading import load
from drumlin.data.opening import MAX_DECODED_BYTES, AnyImages
from drumlin.data.specs import parse_spec


def inverted(images: Images) -> Images:
    """Return the negatives, 255 − pixel, with the labels of the originals.

    >>> inverted(load("digits", "test")).float().max().item()
    1.0
    """
    return replace(images, pixels=255 - images.pixels, name="inverted", note=f"negatives of {images.name}")


def noise(images: Images, seed: int = 0) -> Images:
    """Return as many images of the same shape, every value uniform in 0..255, of class 0, "unknown".

    Args:
        images: whose shape they take; nothing else of it counts.
        seed: same shape and seed, same noise.

    >>> noise(load("digits", "test")).pixels.shape
    torch.Size([449, 1, 8, 8])
    """
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, images.pixels.shape, generator=generator, dtype=torch.uint8)
    return Images(
        pixels=pixels,
        labels=torch.zeros_like(images.labels),
        class_names=(UNKNOWN,),
        name="noise",
        split=images.split,
        note=f"uniform noise in the shape of {images.name}",
    )


SYNTHETIC: dict[str, Callable[[Images, int], Images]] = {
    "inverted": lambda images, seed: inverted(images),
    "noise": noise,
}
"""Specification -> (images, seed) -> an out-of-distribution set made from them."""


def load_ood(
    spec: str,
    like: AnyImages,
    *,
    root: str | os.PathLike[str] | None = None,
    download: bool = False,
    seed: int = 0,
) -> AnyImages:
    """Return an out-of-distribution set with the channels and size of `like`.

    Of a named set, and of a folder that keeps a test split apart, the test split is taken; of any other folder all images,
    whether or not they lie in class folders. Labels are the set's own where it has any.

    Args:
        spec: "inverted" or "noise", made from `like`; or what `load` takes.
        like: the set in distribution. From one of files, at most 2 GiB of it, spread evenly, is inverted.
        root: the data root, as for `load`.
        download: download a named set that is not there.
        seed: of the noise.

    Raises:
        ValueError: as `load`.

    >>> load_ood("digits:8,9", load("digits:0-7", "test")).class_names
    ('8', '9')
    """
    if spec in SYNTHETIC:
        return SYNTHETIC[spec](_in_memory(like), seed)
    parsed = parse_spec(spec)
    folder = parsed.folder
    if folder is None and parsed.name not in CATALOGUE:
        raise unknown("out-of-distribution set", spec, [*SYNTHETIC, *CATALOGUE, "folder:PATH"])
    split = "all" if folder is not None and "test" not in split_folders(folder) else "test"
    images = load(spec, split, root=root, download=download, image_size=like.size, channels=like.channels)
    return adapt(images, channels=like.channels, size=like.size) if isinstance(images, Images) else images


def _in_memory(images: AnyImages) -> Images:
    if isinstance(images, Images):
        return images
    most = max(1, MAX_DECODED_BYTES // (images.channels * images.size[0] * images.size[1]))
    chosen = torch.linspace(0, len(images) - 1, min(most, len(images))).round().long()
    return Images(
        pixels=images.decode(chosen),
        labels=images.labels[chosen],
        class_names=images.class_names,
        name=images.name,
        split=images.split,
        note=images.note,
    )
