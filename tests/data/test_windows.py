from __future__ import annotations

import pytest
import torch

from drumlin.data import crops

IMAGES = torch.arange(2 * 1 * 5 * 4).view(2, 1, 5, 4)


def test_ten_by_hand() -> None:
    image = IMAGES[:1]
    windows = crops(image, (3, 2))
    assert windows.shape == (10, 1, 1, 3, 2)
    firsts = windows[:, 0, 0, 0].tolist()
    # rows 0, 1, 2 and columns 0, 1, 2 of five rows of four
    assert firsts[:5] == [[0, 1], [2, 3], [8, 9], [10, 11], [5, 6]]
    assert firsts[5:] == [[1, 0], [3, 2], [9, 8], [11, 10], [6, 5]]
    assert windows[3, 0, 0].tolist() == [[10, 11], [14, 15], [18, 19]]


def test_the_mirrored_windows_are_those_of_the_mirrored_image() -> None:
    there, back = crops(IMAGES, (3, 2)), crops(IMAGES.flip(3), (3, 2))
    for window in there:
        assert any(torch.equal(window, other) for other in back)


def test_one_is_the_centre() -> None:
    assert torch.equal(crops(IMAGES, (3, 2), 1), IMAGES[None, :, :, 1:4, 1:3])
    assert torch.equal(crops(IMAGES, (5, 4), 1)[0], IMAGES)


@pytest.mark.parametrize(
    ("size", "number", "message"),
    [
        ((3, 2), 5, "crops is 5; it is 1 .* or 10"),
        ((6, 2), 10, "images of 5x4 pixels .* have no window of 6x2"),
        ((3, 5), 1, "have no window of 3x5"),
        ((5, 4), 10, "ten windows of 5x4 need images larger than that"),
    ],
)
def test_impossible_windows(size: tuple[int, int], number: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crops(IMAGES, size, number)


def test_one_axis_may_be_as_long_as_the_window() -> None:
    assert crops(IMAGES, (5, 2)).shape == (10, 2, 1, 5, 2)
