from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from drumlin.data import ImageFiles, Images, load
from drumlin.data.folders import scan


@pytest.fixture
def files(two_classes: Path) -> ImageFiles:
    return ImageFiles(tree=scan(two_classes), channels=1, size=(4, 4), name="f", split="train", workers=0)


@pytest.fixture
def same(two_classes: Path) -> Images:
    images = load(f"folder:{two_classes}", "all")
    assert isinstance(images, Images)
    return images


def test_it_answers_as_images_do(files: ImageFiles, same: Images) -> None:
    assert (len(files), files.size, files.channels, files.class_names) == (20, (4, 4), 1, ("cat", "dog"))
    assert torch.equal(files.labels, same.labels)
    for chosen in (None, slice(3, 9, 2), [19, 0], torch.tensor([7])):
        assert torch.equal(files.float(chosen), same.float(chosen))
        assert torch.equal(files.subset(chosen).float(), same.subset(chosen).float())
    assert files.float([]).shape == (0, 1, 4, 4)


def test_channels_and_size_are_applied(files: ImageFiles) -> None:
    assert replace(files, channels=3, size=(2, 3)).float([0]).shape == (1, 3, 2, 3)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_batches(files: ImageFiles, same: Images, workers: int) -> None:
    batches = list(replace(files, workers=workers).batches(8))
    assert [len(x) for x, _ in batches] == [8, 8, 4]
    assert torch.equal(torch.cat([x for x, _ in batches]), same.float())
    assert torch.equal(torch.cat([y for _, y in batches]), same.labels)


def test_streaming_leaves_the_global_random_state_alone(files: ImageFiles) -> None:
    before = torch.get_rng_state()
    list(files.batches(8))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_bad_image_is_named_without_a_traceback(files: ImageFiles, two_classes: Path, workers: int) -> None:
    (two_classes / "dog" / "2.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"^image .*2\.png cannot be decoded"):
        list(replace(files, workers=workers).batches(8))


def test_fingerprint(files: ImageFiles, two_classes: Path) -> None:
    others = [replace(files, channels=3), replace(files, size=(2, 2)), files.subset(range(19))]
    assert replace(files, name="g", workers=3).fingerprint == files.fingerprint
    (two_classes / "cat" / "0.png").touch()
    others.append(replace(files, tree=scan(two_classes)))
    assert len({files.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_labels_are_checked(files: ImageFiles) -> None:
    with pytest.raises(ValueError, match="labels run from 0 to 1; with 1 class names"):
        replace(files, tree=replace(files.tree, class_names=("cat",)))


def test_too_large_for_memory_means_files(
    two_classes: Path, make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = f"folder:{two_classes}"
    monkeypatch.setattr("drumlin.data.opening.MAX_DECODED_BYTES", 20 * 16)
    assert isinstance(load(spec, "all"), Images)
    monkeypatch.setattr("drumlin.data.opening.MAX_DECODED_BYTES", 20 * 16 - 1)
    files = load(spec, "all")
    assert isinstance(files, ImageFiles)
    assert (files.channels, files.size, files.name, files.split) == (1, (4, 4), spec, "all")
    assert load(spec, "all", channels=3, image_size=5).float([0]).shape == (1, 3, 5, 5)
    make_folder({"dog/x.png": ("RGB", (4, 4), (1, 2, 3))})
    assert load(spec, "all").channels == 3
