from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from drumlin.data import load_image
from drumlin.data.decoding import decode


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    ("mode", "value", "kind", "expected"),
    [
        ("L", 77, "png", [77]),
        ("1", 1, "png", [255]),
        ("LA", (200, 51), "png", [40]),  # 200 * 51 / 255
        ("RGB", (1, 2, 3), "png", [1, 2, 3]),
        ("RGBA", (255, 100, 0, 51), "png", [51, 20, 0]),
        ("RGBA", (255, 100, 0, 0), "png", [0, 0, 0]),
        ("I;16", 65535, "png", [255]),
        ("I;16", 257 * 100, "png", [100]),
        ("I", 65535, "tiff", [255]),
        ("CMYK", (0, 255, 255, 0), "tiff", [255, 0, 0]),
    ],
)
def test_modes(tmp_path: Path, mode: str, value: object, kind: str, expected: list[int]) -> None:
    path = saved(tmp_path / f"a.{kind}", Image.new(mode, (3, 2), value))  # type: ignore[arg-type]
    pixels = load_image(path)
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (len(expected), 2, 3)
    assert pixels[:, 1, 2].tolist() == expected


def test_a_palette_is_looked_up_and_its_transparency_composited(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert load_image(saved(tmp_path / "opaque.png", image))[:, 0].T.tolist() == [[10, 20, 30], [200, 100, 50]]
    path = saved(tmp_path / "clear.png", image, transparency=1)
    assert load_image(path)[:, 0].T.tolist() == [[10, 20, 30], [0, 0, 0]]


def test_16_bits_are_scaled_before_anything_else(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.new("I;16", (8, 8), 257 * 200))
    assert load_image(path, channels=3, image_size=4).unique().tolist() == [200]


def test_exif_orientation(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 50, 100]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    assert load_image(saved(tmp_path / "a.png", image, exif=exif))[0].tolist() == [[0], [50], [100]]


def test_size_and_channels(tmp_path: Path, colours: np.ndarray) -> None:
    path = saved(tmp_path / "a.png", Image.fromarray(colours))
    assert np.array_equal(load_image(path).permute(1, 2, 0).numpy(), colours)
    assert torch.equal(load_image(path, image_size=7), load_image(path)[:, 1:8])
    assert load_image(path, image_size=(4, 6), channels=1).shape == (1, 4, 6)
    grey = load_image(path, channels=1)[0].numpy()
    assert np.array_equal(grey, np.array(Image.fromarray(colours).convert("L")))


def test_bad_files_are_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for kind in ("png", "jpg"):
        whole = saved(tmp_path / f"whole.{kind}", Image.fromarray(noise)).read_bytes()
        (tmp_path / f"cut.{kind}").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match=rf"cut\.{kind} cannot be decoded; it is damaged or no image"):
            load_image(tmp_path / f"cut.{kind}")
    flipped = bytearray((tmp_path / "whole.png").read_bytes())
    flipped[len(flipped) // 2] ^= 255
    (tmp_path / "flipped.png").write_bytes(flipped)
    with pytest.raises(ValueError, match=r"flipped\.png cannot be decoded"):
        load_image(tmp_path / "flipped.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ValueError, match=r"text\.png cannot be decoded"):
        load_image(tmp_path / "text.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"empty\.png cannot be decoded"):
        load_image(tmp_path / "empty.png")
    with pytest.raises(ValueError, match=r"none\.png: there is no such file"):
        load_image(tmp_path / "none.png")


@pytest.mark.parametrize(
    ("mode", "value", "message"), [("F", 0.5, "floating-point"), ("I", 70000, "do not fit 16 bits")]
)
def test_values_of_unknown_range_are_refused(tmp_path: Path, mode: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.tiff.*{message}"):
        load_image(saved(tmp_path / "a.tiff", Image.new(mode, (2, 2), value)))


def test_missing_pillow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"drumlin\[cli\]"):
        load_image(tmp_path / "a.png")


def test_many_are_decoded_in_order_by_threads(make_folder: Callable[..., Path]) -> None:
    base = make_folder({f"{i:03}.png": ("L", (2, 3), i) for i in range(200)})
    paths = sorted(base.iterdir())
    pixels = decode(paths, threads=4)
    assert pixels.shape == (200, 1, 3, 2)
    assert pixels[:, 0, 2, 1].tolist() == list(range(200))
    assert torch.equal(decode(paths, threads=1), pixels)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_one_colour_image_makes_the_set_colour(make_folder: Callable[..., Path], order: str) -> None:
    base = make_folder({f"{order[0]}.png": ("L", (2, 2), 7), f"{order[1]}.png": ("RGB", (2, 2), (1, 2, 3))})
    pixels = decode(sorted(base.iterdir()))
    assert sorted(pixels[:, :, 0, 0].tolist()) == [[1, 2, 3], [7, 7, 7]]


def test_different_sizes_need_one_given(make_folder: Callable[..., Path]) -> None:
    base = make_folder({"a.png": ("L", (4, 4), 0), "b.png": ("L", (5, 4), 0)})
    paths = sorted(base.iterdir())
    with pytest.raises(ValueError, match=r"b\.png is 5x4 pixels but .*a\.png is 4x4; .*--image-size"):
        decode(paths)
    assert decode(paths, size=4).shape == (2, 1, 4, 4)


def test_no_files() -> None:
    with pytest.raises(ValueError, match="no images to decode"):
        decode([])
