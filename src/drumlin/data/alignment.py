"""Faces turned, scaled and cropped so that eyes, nose and mouth lie where they lie in every other: once, before training."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from drumlin._io import hash_file, hash_json, read_json, write_json
from drumlin.data.decoding import load_image, usable_cpus
from drumlin.data.folders import Tree, find_images
from drumlin.data.landmarks import read_landmarks

SIZE = (112, 96)
"""Height and width of an aligned face, in pixels, as the center loss's authors have it."""

TEMPLATE = ((30.2946, 51.6963), (65.5318, 51.5014), (48.0252, 71.7366), (33.5493, 92.3655), (62.7299, 92.2041))
"""Where `POINTS` lie in a face of `SIZE`: x and y in pixels, the centre of the first pixel at 0."""

_MANIFEST = "alignment.json"
_VERSION = 1


@dataclass(frozen=True)
class Aligned:
    """What `align` did: how many faces lie in the folder, and how many images had no landmarks and were left out."""

    written: int
    left_out: int


def template(size: tuple[int, int] = SIZE) -> Float[Tensor, "5 2"]:
    """Return where the five points lie in a face of `size` (height, width): those of 112x96, scaled to the height and centred.

    Source: Wen, Zhang, Li, Qiao, A Discriminative Feature Learning Approach for Deep Face Recognition, 2016, its code.

    >>> template((112, 112))[0].tolist()  # ArcFace's: eight pixels further to the right
    [38.2946, 51.6963]
    """
    height, width = size
    scale = height / SIZE[0]
    points = torch.tensor(TEMPLATE, dtype=torch.float64) + 0.5  # from pixel centres at whole numbers to lengths
    points = points * scale + torch.tensor([(width - SIZE[1] * scale) / 2, 0.0], dtype=torch.float64)
    return points - 0.5


def similarity(points: Float[Tensor, "p 2"], onto: Float[Tensor, "p 2"]) -> Float[Tensor, "2 3"]:
    """Return the rotation, scale and shift (no reflection) that brings `points` nearest to `onto`, in least squares.

    With points as complex numbers it is w = a z + b, a = Σ conj(z − z̄)(w − w̄) / Σ |z − z̄|², b = w̄ − a z̄.

    Args:
        points: x and y of two points or more, not all the same.
        onto: where they should go.

    Returns:
        The matrix M of (x', y') = M (x, y, 1), in float64.

    Raises:
        ValueError: all points are the same.

    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, 1991, in the plane.

    >>> square = torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    >>> similarity(square, 2 * square + 3).round(decimals=6).abs().tolist()
    [[2.0, 0.0, 3.0], [0.0, 2.0, 3.0]]
    """
    z, w = (torch.view_as_complex(p.double().contiguous()) for p in (points, onto))
    centred = z - z.mean()
    spread = centred.abs().square().sum()
    if spread == 0:
        raise ValueError("all landmarks are the same point: they tell neither scale nor rotation")
    a = (centred.conj() * (w - w.mean())).sum() / spread
    b = w.mean() - a * z.mean()
    real, imag = a.real.item(), a.imag.item()
    return torch.tensor([[real, -imag, b.real.item()], [imag, real, b.imag.item()]], dtype=torch.float64)


def align_face(
    image: UInt8[Tensor, "c h w"], points: Float[Tensor, "5 2"], size: tuple[int, int] = SIZE
) -> UInt8[Tensor, "c height width"]:
    """Return one face with its landmarks as near to `template(size)` as rotation, scale and shift bring them.

    Bilinear; an image that has to shrink by 2 or more is first averaged over whole squares of pixels. What lies outside of it is
    black.

    Args:
        image: grey or colour.
        points: x and y of `POINTS` in pixels, the centre of the first pixel at 0.
        size: height and width of the result.

    Raises:
        ValueError: all points are the same.

    >>> align_face(torch.zeros(3, 250, 250, dtype=torch.uint8), 2 * template() + 20).shape
    torch.Size([3, 112, 96])
    """
    from PIL import Image

    matrix = similarity(points, template(size))
    picture = Image.fromarray(image.permute(1, 2, 0).numpy() if len(image) == 3 else image[0].numpy())
    shrink = int(1 / float(matrix[:, 0].norm()))
    if shrink > 1:
        picture = picture.reduce(shrink)
        matrix = similarity((points.double() + 0.5) / shrink - 0.5, template(size))
    inverse = torch.linalg.inv(torch.cat((matrix, torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64))))[:2]
    # Pillow takes the centre of the first pixel as 1/2 on either side.
    inverse[:, 2] += 0.5 - 0.5 * inverse[:, :2].sum(1)
    coefficients = inverse.flatten().tolist()
    face = picture.transform((size[1], size[0]), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(face))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)


def align(
    folder: Path | str,
    landmarks: Path | str,
    out: Path | str,
    *,
    size: tuple[int, int] = SIZE,
    threads: int | None = None,
) -> Aligned:
    """Align the face in each image below `folder` by its landmarks, and write them to `out` under the same names, as JPEG.

    `out` is either whole or not there, and says what it was made from: if that has not changed, nothing is done again.

    Args:
        folder: of images, at any depth.
        landmarks: a file that `read_landmarks` reads; made by `detect_landmarks`, or by any other detector.
        out: a folder that is not there, or that this function made.
        size: height and width of a face in pixels.
        threads: how many; by default one a processor.

    Raises:
        ValueError: no images; landmarks of an image that is not there, or none at all; images that cannot be decoded; `out` is
            there and was made otherwise; two images that differ in their extension alone.

    >>> import tempfile
    >>> from PIL import Image
    >>> from drumlin.data.landmarks import POINTS, detect_landmarks
    >>> place = Path(tempfile.mkdtemp())
    >>> (place / "faces").mkdir()
    >>> Image.new("RGB", (96, 112)).save(place / "faces" / "a.png")
    >>> found = {"box": (0, 0, 96, 112), "keypoints": dict(zip(POINTS, TEMPLATE))}
    >>> detect_landmarks(place / "faces", place / "points.csv", find=lambda image: [found])
    1
    >>> align(place / "faces", place / "points.csv", place / "aligned")
    Aligned(written=1, left_out=0)
    """
    folder, out, landmarks = Path(folder), Path(out), Path(landmarks)
    points = read_landmarks(landmarks, folder)
    names = [path.relative_to(folder).as_posix() for path in find_images([folder])]
    chosen = [name for name in names if name in points]
    tree = Tree(base=folder, names=tuple(names), labels=torch.zeros(len(names), dtype=torch.int64), class_names=("",))
    key = hash_json([_VERSION, tree.key, hash_file(landmarks), list(size)])
    done = Aligned(len(chosen), len(names) - len(chosen))
    if out.exists():
        _check_made_from(out, key)
        return done
    targets = _targets(chosen)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)

    def one(pair: tuple[str, str]) -> None:
        name, target = pair
        try:
            face = align_face(load_image(folder / name, channels=3), points[name], size)
        except ValueError as error:
            raise ValueError(f"image {folder / name}: {error}") from None
        _save(face, partial / target)

    _in_threads(one, list(zip(chosen, targets, strict=True)), threads or usable_cpus())
    write_json(partial / _MANIFEST, {"key": key, "size": list(size)})
    os.replace(partial, out)
    return done


def _in_threads(work: Callable[[tuple[str, str]], None], items: Sequence[tuple[str, str]], threads: int) -> None:
    pool = ThreadPoolExecutor(threads)
    try:
        for _ in pool.map(work, items):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


def _targets(names: Sequence[str]) -> list[str]:
    """Return the names that aligned images get: the same, ending in .jpg."""
    found: dict[str, str] = {}
    for name in names:
        target = Path(name).with_suffix(".jpg").as_posix()
        if target in found:
            raise ValueError(f"images {found[target]} and {name} would both become {target}; rename one")
        found[target] = name
    return list(found)


def _save(face: Tensor, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(face.permute(1, 2, 0).contiguous().numpy()).save(path, quality=95, subsampling=0)


def _check_made_from(out: Path, key: str) -> None:
    """Raise a ValueError unless the folder `out` is what `align` makes from what `key` stands for."""
    manifest = out / _MANIFEST
    values = read_json(manifest) if manifest.is_file() else {}
    if not isinstance(values, dict) or values.get("key") != key:
        raise ValueError(
            f"{out} is there, and not made from these images, landmarks and size; remove it, or give another folder"
        )
