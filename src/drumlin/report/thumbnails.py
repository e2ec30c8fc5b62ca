"""Thousands of small images as a few sheets that a page can hold."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from drumlin.report.contents import Pixels

_COLUMNS, _ROWS = 64, 64


@dataclass(frozen=True)
class Sheets:
    """Images of one page, in sheets of 64 x 64.

    Attributes:
        sources: data URLs, in order.
        tiles: for each sheet (width, height) of its tiles, as stored.
        note: what was done to make them fit, for the reader; empty if nothing was.
    """

    sources: list[str]
    tiles: list[tuple[int, int]]
    note: str

    def to_json(self) -> dict[str, Any]:
        """Return what the page's script needs."""
        return {"columns": _COLUMNS, "size": _COLUMNS * _ROWS, "sources": self.sources, "tiles": self.tiles}


class ThumbnailStore:
    """Distinct images, each kept once however many runs show it.

    >>> store = ThumbnailStore()
    >>> store.add(np.zeros((2, 8, 8, 1), np.uint8)).tolist(), store.add(np.ones((1, 8, 8, 1), np.uint8)).tolist()
    ([0, 0], [1])
    """

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        # images of one size share sheets; each sheet has room for so many, used or not
        self._groups: dict[tuple[int, ...], list[Pixels]] = {}
        self._sheets: list[tuple[tuple[int, ...], int]] = []

    def add(self, images: Pixels) -> npt.NDArray[np.int64]:
        """Return where each of (n, h, w, C) images is: sheet · 4096 + tile."""
        shape = images.shape[1:]
        group = self._groups.setdefault(shape, [])
        places = np.empty(len(images), np.int64)
        for i, image in enumerate(images):
            key = repr(shape).encode() + image.tobytes()
            place = self._known.get(key)
            if place is None:
                tile = len(group)
                if tile % (_COLUMNS * _ROWS) == 0:
                    self._sheets.append((shape, tile))
                sheet = self._sheets.index((shape, tile - tile % (_COLUMNS * _ROWS)))
                place = self._known[key] = sheet * _COLUMNS * _ROWS + tile % (_COLUMNS * _ROWS)
                group.append(image)
            places[i] = place
        return places

    def sheets(self, budget: int) -> Sheets | None:
        """Return the images in at most `budget` characters, as well as they fit; None if they do not fit at all."""
        pictures = [
            _sheet(self._groups[shape][first : first + _COLUMNS * _ROWS], shape) for shape, first in self._sheets
        ]
        for encoding in _ENCODINGS:
            sources: list[str] = []
            for picture, (shape, _) in zip(pictures, self._sheets, strict=True):
                sources.append(_data_url(encoding.encode(picture, shape), "webp"))
                if sum(map(len, sources)) > budget:
                    break
            else:
                tiles = [encoding.tile(shape) for shape, _ in self._sheets]
                return Sheets(sources, tiles, encoding.note)
        return None


@dataclass(frozen=True)
class _Encoding:
    """A way to store sheets: WebP's options, whether at half size, and what the reader is told."""

    options: dict[str, Any]
    half: bool
    note: str

    def tile(self, shape: tuple[int, ...]) -> tuple[int, int]:
        height, width = shape[:2]
        return (max(1, width // 2), max(1, height // 2)) if self.half else (width, height)

    def encode(self, picture: Image.Image, shape: tuple[int, ...]) -> bytes:
        if self.half:
            width, height = self.tile(shape)
            columns, rows = picture.width // shape[1], picture.height // shape[0]
            picture = picture.resize((columns * width, rows * height), Image.Resampling.BOX)
        file = io.BytesIO()
        picture.save(file, "WEBP", **self.options)
        return file.getvalue()


def _lossy(quality: int, *, half: bool = False) -> _Encoding:
    size = " and halved" if half else ""
    note = f"Images on the map are compressed{size}, to keep this page small."
    return _Encoding({"quality": quality, "method": 2}, half, note)


_ENCODINGS = (
    _Encoding({"lossless": True, "quality": 40, "method": 3}, False, ""),
    _lossy(85),
    _lossy(65),
    _lossy(40),
    _lossy(20),
    _lossy(50, half=True),
    _lossy(15, half=True),
)


def picture_url(image: Pixels) -> str:
    """Return one image (h, w, C) as a data URL, without loss."""
    file = io.BytesIO()
    _picture(image).save(file, "PNG", optimize=True)
    return _data_url(file.getvalue(), "png")


def _sheet(images: list[Pixels], shape: tuple[int, ...]) -> Image.Image:
    height, width, channels = shape
    rows = -(-len(images) // _COLUMNS)
    canvas = np.zeros((rows, _COLUMNS, height, width, channels), np.uint8)
    canvas.reshape(-1, height, width, channels)[: len(images)] = images
    return _picture(canvas.transpose(0, 2, 1, 3, 4).reshape(rows * height, _COLUMNS * width, channels))


def _picture(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
