from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from drumlin.data import ImageFiles, Images, inverted, load, load_ood, noise
from drumlin.data.folders import scan


def test_inverted_keeps_labels(numbered: Images) -> None:
    images = load_ood("inverted", numbered)
    assert isinstance(images, Images)
    assert torch.equal(images.pixels.int() + numbered.pixels, torch.full((20, 1, 4, 4), 255, dtype=torch.int32))
    assert torch.equal(images.labels, numbered.labels)
    assert (images.class_names, images.name) == (("even", "odd"), "inverted")
    assert torch.equal(inverted(inverted(numbered)).pixels, numbered.pixels)


def test_noise_is_uniform_seeded_and_unlabelled(numbered: Images) -> None:
    like = replace(numbered, pixels=torch.zeros(20, 3, 40, 30, dtype=torch.uint8))
    images, again, other = noise(like, 1), load_ood("noise", like, seed=1), noise(like, 2)
    assert isinstance(again, Images)
    assert images.pixels.shape == (20, 3, 40, 30)
    assert torch.equal(images.pixels, again.pixels)
    assert not torch.equal(images.pixels, other.pixels)
    counts = images.pixels.flatten().bincount(minlength=256)  # 72,000 values: 281 ± 17 each
    assert len(counts) == 256
    assert 170 < counts.min() <= counts.max() < 400
    assert (images.labels.unique().tolist(), images.class_names) == ([0], ("unknown",))


def test_another_set_takes_channels_and_size(numbered: Images, two_classes: Path) -> None:
    like = replace(numbered, pixels=torch.zeros(20, 3, 5, 6, dtype=torch.uint8))
    for spec in ("digits:8,9", f"folder:{two_classes}"):
        images = load_ood(spec, like)
        assert (images.channels, images.size) == (3, (5, 6))
    assert load_ood("digits:8", load("digits:0-7", "test")).labels.bincount().tolist() == [
        len(load("digits:8", "test"))
    ]


def test_all_of_a_folder_is_used_unless_it_has_a_test_split(
    numbered: Images, two_classes: Path, make_folder: Callable[..., Path]
) -> None:
    grey = ("L", (4, 4), 0)
    assert len(load_ood(f"folder:{two_classes}", numbered)) == 20
    flat = load_ood(f"folder:{make_folder({f'{i}.png': grey for i in range(3)}, 'flat')}", numbered)
    assert (len(flat), flat.labels.tolist(), flat.class_names) == (3, [0, 0, 0], ("unknown",))
    one = make_folder({"only/1.png": grey}, "one")
    assert load_ood(f"folder:{one}", numbered).class_names == ("only",)
    images = {f"train/a/{i}.png": grey for i in range(4)}
    assert len(load_ood(f"folder:{make_folder(images, 'train-only')}", numbered)) == 4
    assert len(load_ood(f"folder:{make_folder(images | {'test/a/1.png': grey}, 'both')}", numbered)) == 1


def test_of_files_a_part_that_fits_memory_is_inverted(two_classes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ImageFiles(tree=scan(two_classes), channels=1, size=(4, 4), name="f", split="test", workers=0)
    whole = load_ood("inverted", files)
    assert isinstance(whole, Images)
    assert torch.equal(whole.labels, files.labels)
    monkeypatch.setattr("drumlin.data.synthetic.MAX_DECODED_BYTES", 3 * 16)
    part = load_ood("inverted", files)
    assert isinstance(part, Images)
    assert (255 - part.pixels[:, 0, 0, 0]).tolist() == [0, 100, 109]
    assert part.labels.tolist() == [0, 1, 1]


def test_unknown_names(numbered: Images) -> None:
    with pytest.raises(ValueError, match="unknown out-of-distribution set 'nosie'"):
        load_ood("nosie", numbered)
