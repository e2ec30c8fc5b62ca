"""Five points of each face: found by an MTCNN, kept in a file that any other detector may write instead."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from drumlin import _io
from drumlin.data.decoding import load_image
from drumlin.data.folders import find_images

POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""The landmarks in their order; left is the viewer's."""

COLUMNS = ("image", *(f"{point}_{axis}" for point in POINTS for axis in "xy"))
"""The columns of a landmarks file, and its first line."""

FindFaces: TypeAlias = Callable[[Any], list[dict[str, Any]]]
"""(image as an array (h, w, 3) of bytes) -> its faces as `mtcnn.MTCNN.detect_faces` gives them: "box" (x, y, width, height) and
"keypoints", name -> (x, y)."""


def detect_landmarks(folder: Path | str, out: Path | str, *, find: FindFaces | None = None) -> int:
    """Find the face in each image below `folder`, and write its five landmarks to the file `out`; return how many were found.

    Of several faces the one nearest to the image's centre is taken, as is done on LFW and CASIA-WebFace, whose person is in the
    middle. Images without a face have no line.

    Args:
        folder: of images, at any depth.
        out: the file, written whole at the end.
        find: a detector; by default `mtcnn.MTCNN().detect_faces`, whose weights come with its package.

    Raises:
        ValueError: no images; one that cannot be decoded.
        ImportError: mtcnn is not installed.

    An example is at `drumlin.data.align`.

    Source: Zhang, Zhang, Li, Qiao, Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks, 2016.
    """
    folder = Path(folder)
    images = find_images([folder])
    find = find or _mtcnn()
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    found = 0
    for path in images:
        image = load_image(path, channels=3)
        faces = find(image.permute(1, 2, 0).contiguous().numpy())
        if faces:
            points = _central(faces, image)["keypoints"]
            values = [f"{float(value):.6g}" for point in POINTS for value in points[point]]
            writer.writerow([path.relative_to(folder).as_posix(), *values])
            found += 1
    _io.write_bytes(out, table.getvalue().encode())
    return found


def read_landmarks(file: Path | str, folder: Path | str) -> dict[str, Float[Tensor, "5 2"]]:
    """Return image -> x and y of `POINTS`, in pixels, the centre of the first pixel at 0.

    Args:
        file: comma-separated, its first line `COLUMNS`, then a line a face: the image's path below `folder`, and ten numbers.
        folder: that holds the images.

    Raises:
        ValueError: no such file; other columns; a line without ten finite numbers, for an image that is not there, or for one
            that had a line before; no line at all. The message has file and line.
    """
    file, folder = Path(file), Path(folder)
    if not file.is_file():
        raise ValueError(f"landmarks {file}: there is no such file")
    with open(file, newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{file}, line 1: the columns must be {','.join(COLUMNS)}")
    found: dict[str, Tensor] = {}
    for number, row in enumerate(rows[1:], 2):
        where, values = f"{file}, line {number}", _numbers(row[1:])
        if values is None:
            raise ValueError(f"{where}: after the image's path there must be {2 * len(POINTS)} finite numbers")
        if row[0] in found:
            raise ValueError(f"{where}: {row[0]} has landmarks already; give one face an image")
        if not (folder / row[0]).is_file():
            raise ValueError(f"{where}: there is no image {folder / row[0]}")
        found[row[0]] = torch.tensor(values, dtype=torch.float64).view(len(POINTS), 2)
    if not found:
        raise ValueError(f"{file} has landmarks of no image")
    return found


def _numbers(texts: list[str]) -> list[float] | None:
    try:
        values = [float(text) for text in texts]
    except ValueError:
        return None
    return values if len(values) == 2 * len(POINTS) and all(map(math.isfinite, values)) else None


def _central(faces: list[dict[str, Any]], image: UInt8[Tensor, "c h w"]) -> dict[str, Any]:
    height, width = image.shape[1:]

    def distance(face: dict[str, Any]) -> float:
        x, y, w, h = face["box"]
        return math.hypot(x + w / 2 - width / 2, y + h / 2 - height / 2)

    return min(faces, key=distance)


def _mtcnn() -> FindFaces:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow tells of missing GPUs otherwise
    try:
        from mtcnn import MTCNN
    except ImportError:
        raise ImportError(
            'finding faces needs an MTCNN: pip install "drumlin[align]"; or give landmarks of another detector'
        ) from None
    return MTCNN().detect_faces  # type: ignore[no-any-return]
