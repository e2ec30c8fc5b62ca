from pathlib import Path

import pytest
import torch

from drumlin.data import ImageFiles, Images
from drumlin.data.folders import scan
from drumlin.features import FeatureSet
from drumlin.tasks.shown import Kind, ShownSet, features_of, thumbnails


def shown(kind: Kind, n: int = 3, size: tuple[int, int] = (4, 6), y: torch.Tensor | None = None) -> ShownSet:
    pixels = torch.arange(n, dtype=torch.uint8)[:, None, None, None].expand(n, 1, *size).contiguous()
    images = Images(pixels=pixels, labels=torch.zeros(n).long(), class_names=("a",), name="x", split="all")
    return ShownSet(kind, FeatureSet(torch.zeros(n, 2), torch.zeros(n, 5), y), images)


def test_labels_are_those_of_the_model_or_none() -> None:
    y = torch.tensor([4, 0, 2])
    for kind in (Kind.TRAINING, Kind.TEST, Kind.ATTACKED):
        assert shown(kind, y=y).labels.tolist() == [4, 0, 2]
    assert shown(Kind.OUT_OF_DISTRIBUTION, y=y).labels.tolist() == [-1, -1, -1]  # labels of other classes
    assert shown(Kind.TEST).labels.tolist() == [-1, -1, -1]


def test_thumbnails_of_rows_in_their_order() -> None:
    found = shown(Kind.TEST, n=1200).thumbnails(torch.tensor([1100, 0, 7]))
    assert found.shape == (3, 1, 4, 6)
    assert found[:, 0, 0, 0].tolist() == [1100 % 256, 0, 7]
    many = shown(Kind.TEST, n=1200).thumbnails(torch.arange(1200))  # more than a chunk
    assert many[:, 0, 0, 0].tolist() == [i % 256 for i in range(1200)]


def test_thumbnails_of_files_that_are_decoded_as_they_are_needed(tmp_path: Path) -> None:
    from PIL import Image

    for i, name in enumerate(("a/0", "a/1", "b/2")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (80, 40), (50 * i, 7, 0)).save(tmp_path / f"{name}.png")
    images = ImageFiles(tree=scan(tmp_path), channels=3, size=(40, 80), name="x", split="all", workers=0)
    found = ShownSet(Kind.TEST, FeatureSet(torch.zeros(3, 2), torch.zeros(3, 5)), images).thumbnails(
        torch.tensor([2, 0])
    )
    assert found.shape == (2, 3, 16, 32)
    assert found[:, :2, 5, 5].tolist() == [[100, 7], [0, 7]]


def test_the_numbers_of_kinds_are_in_files() -> None:
    assert [int(kind) for kind in (Kind.TRAINING, Kind.TEST, Kind.OUT_OF_DISTRIBUTION, Kind.ATTACKED)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("size", "small"),
    [((32, 32), (32, 32)), ((8, 5), (8, 5)), ((33, 33), (32, 32)), ((64, 16), (32, 8)), ((500, 3), (32, 1))],
)
def test_the_longer_side_is_at_most_32(size: tuple[int, int], small: tuple[int, int]) -> None:
    assert thumbnails(torch.zeros(2, 3, *size, dtype=torch.uint8)).shape == (2, 3, *small)


def test_small_images_are_left_and_large_ones_averaged() -> None:
    pixels = torch.randint(0, 256, (1, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(thumbnails(pixels), pixels)
    checks = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    checks[..., ::2, ::2] = 200
    checks[..., 1::2, 1::2] = 200
    assert thumbnails(checks)[..., 2:-2, 2:-2].float().mean() == pytest.approx(100, abs=2)


def test_features_of_sets() -> None:
    one = shown(Kind.TEST)
    assert features_of({"one": one}) == {"one": one.features}
