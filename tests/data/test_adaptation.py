from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from drumlin.data import Images, adapt
from drumlin.data.adaptation import covering


@pytest.fixture
def picture(colours: np.ndarray) -> Images:
    pixels = torch.from_numpy(colours).permute(2, 0, 1)[None].contiguous()
    return Images(pixels=pixels, labels=torch.tensor([0]), class_names=("a",), name="p", split="all")


def test_grey_to_colour_repeats(numbered: Images) -> None:
    colour = adapt(numbered, channels=3).pixels
    assert colour.shape == (20, 3, 4, 4)
    assert all(torch.equal(colour[:, i : i + 1], numbered.pixels) for i in range(3))


def test_luma_by_hand() -> None:
    pixels = torch.eye(3, dtype=torch.uint8).view(3, 3, 1, 1) * 255
    images = Images(pixels=pixels, labels=torch.zeros(3).long(), class_names=("a",), name="", split="all")
    assert adapt(images, channels=1).pixels.flatten().tolist() == [76, 150, 29]  # 255 * (0.299, 0.587, 0.114)


def test_luma_is_pillows_bit_for_bit(picture: Images, colours: np.ndarray) -> None:
    assert np.array_equal(
        adapt(picture, channels=1).pixels[0, 0].numpy(), np.array(Image.fromarray(colours).convert("L"))
    )


def test_of_that_size_already_is_untouched(picture: Images) -> None:
    assert adapt(picture, channels=3, size=(9, 7)) is picture
    assert adapt(picture) is picture


def test_only_cropped_where_the_shorter_side_fits(picture: Images) -> None:
    assert torch.equal(adapt(picture, size=7).pixels, picture.pixels[:, :, 1:8])


@pytest.mark.parametrize("size", [5, 14, (3, 7), (20, 4)])
def test_resizing_agrees_with_pillow_to_one_level(
    picture: Images, colours: np.ndarray, size: int | tuple[int, int]
) -> None:
    height, width = (size, size) if isinstance(size, int) else size
    (h, w), (top, left) = covering((9, 7), (height, width))
    expected = np.array(Image.fromarray(colours).resize((w, h), Image.Resampling.BILINEAR))
    expected = expected[top : top + height, left : left + width].astype(int)
    ours = adapt(picture, size=size).pixels[0].permute(1, 2, 0).numpy().astype(int)
    assert ours.shape == (height, width, 3)
    assert abs(ours - expected).max() <= 1


@pytest.mark.parametrize(
    ("size", "target", "resized", "corner"),
    [
        ((20, 40), (10, 10), (10, 20), (0, 5)),
        ((40, 20), (10, 10), (20, 10), (5, 0)),
        ((28, 28), (32, 32), (32, 32), (0, 0)),
        ((300, 401), (32, 32), (32, 42), (0, 5)),
        ((10, 10), (4, 8), (8, 8), (2, 0)),
    ],
)
def test_covering(
    size: tuple[int, int], target: tuple[int, int], resized: tuple[int, int], corner: tuple[int, int]
) -> None:
    assert covering(size, target) == (resized, corner)


def test_pieces_change_nothing(numbered: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    images = replace(numbered, pixels=torch.randint(0, 256, (20, 1, 4, 4)).byte())
    whole = adapt(images, channels=3, size=6).pixels
    monkeypatch.setattr("drumlin.data.adaptation._CHUNK_BYTES", 4 * 3 * 36 * 3)
    assert torch.equal(adapt(images, channels=3, size=6).pixels, whole)


def test_impossible_targets(picture: Images) -> None:
    with pytest.raises(ValueError, match="channels is 2; it is 1"):
        adapt(picture, channels=2)
    with pytest.raises(ValueError, match="image_size is 0"):
        adapt(picture, size=0)
