import base64
import io

import numpy as np
import pytest
from PIL import Image

from drumlin.report.thumbnails import Sheets, ThumbnailStore, picture_url


def _tile(sheets: Sheets, place: int) -> np.ndarray:
    about = sheets.to_json()
    sheet, tile = divmod(int(place), about["size"])
    width, height = about["tiles"][sheet]
    column, row = tile % about["columns"], tile // about["columns"]
    content = base64.b64decode(about["sources"][sheet].partition(",")[2])
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return picture[row * height : (row + 1) * height, column * width : (column + 1) * width]


@pytest.mark.parametrize(("height", "width", "channels"), [(8, 8, 1), (5, 9, 3)])
def test_every_image_is_found_again(height: int, width: int, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5000, height, width, channels)).astype(np.uint8)
    store = ThumbnailStore()
    store.add(np.zeros((3, 4, 4, 1), np.uint8))  # another size, another sheet
    places = store.add(images)
    sheets = store.sheets(10_000_000)
    assert sheets is not None
    assert len(sheets.sources) == 3
    assert sheets.note == ""
    for i in (0, 63, 64, 4095, 4096, 4999):
        np.testing.assert_array_equal(_tile(sheets, places[i]), np.broadcast_to(images[i], (height, width, 3)))


def test_an_image_is_stored_once_but_shape_tells_apart() -> None:
    store = ThumbnailStore()
    images = np.random.default_rng(0).integers(0, 256, (10, 4, 6, 1)).astype(np.uint8)
    np.testing.assert_array_equal(store.add(images), store.add(images))
    assert store.add(images.reshape(10, 6, 4, 1))[0] != store.add(images)[0]


def test_compressed_as_far_as_it_takes_and_no_further() -> None:
    store = ThumbnailStore()
    store.add(np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3)).astype(np.uint8))
    lossless, lossy = store.sheets(3_000_000), store.sheets(300_000)
    assert lossless is not None
    assert lossy is not None
    assert lossless.note == ""
    assert "compressed" in lossy.note
    assert sum(map(len, lossy.sources)) <= 300_000
    halved = store.sheets(60_000)
    assert halved is not None
    assert halved.tiles == [(16, 16)]
    assert store.sheets(1000) is None


def test_no_images_need_no_sheet() -> None:
    assert ThumbnailStore().sheets(0) == Sheets([], [], "")


def test_a_single_picture_is_kept_without_loss() -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    content = base64.b64decode(picture_url(image).partition(",")[2])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), image)
