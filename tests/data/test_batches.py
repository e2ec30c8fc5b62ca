from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from drumlin.data import AnyImages, ImageFiles, Images, load, train_batches
from drumlin.data.folders import scan
from drumlin.settings.data import AugmentSettings

PLAIN = AugmentSettings()
VARIED = AugmentSettings(flip=True, flip_alternating=True, crop=1, shift=1, cutout=2, brightness=0.2)


def epoch(images: AnyImages, batch_size: int = 6, **options: object) -> list[tuple[Tensor, Tensor]]:
    given: dict[str, object] = {"augment": PLAIN, "generator_seed": 0, "epoch": 0} | options
    return list(train_batches(images, batch_size, **given))  # type: ignore[arg-type]


def order(batches: list[tuple[Tensor, Tensor]]) -> list[int]:
    """Which image each sample of `numbered` is."""
    return [round(value * 255) for x, _ in batches for value in x[:, 0, 0, 0].tolist()]


def equal(a: list[tuple[Tensor, Tensor]], b: list[tuple[Tensor, Tensor]]) -> bool:
    return all(torch.equal(x, u) and torch.equal(y, v) for (x, y), (u, v) in zip(a, b, strict=True))


def test_an_epoch_is_a_shuffle(numbered: Images) -> None:
    batches = epoch(numbered, drop_last=False)
    assert [len(x) for x, _ in batches] == [6, 6, 6, 2]
    assert sorted(order(batches)) == list(range(20)) != order(batches)
    assert [i % 2 for i in order(batches)] == torch.cat([y for _, y in batches]).tolist()
    assert batches[0][0].dtype == torch.float32


def test_the_last_batch_is_dropped_if_it_is_not_full(numbered: Images) -> None:
    assert [len(x) for x, _ in epoch(numbered)] == [6, 6, 6]
    assert [len(x) for x, _ in epoch(numbered, 5)] == [5, 5, 5, 5]
    assert [len(x) for x, _ in epoch(numbered, 21)] == [20]
    assert order(epoch(numbered)) == order(epoch(numbered, drop_last=False))[:18]


def test_seed_and_epoch_alone_decide(numbered: Images) -> None:
    first = epoch(numbered, augment=VARIED, epoch=3)
    torch.manual_seed(77)
    before = torch.get_rng_state()
    assert equal(epoch(numbered, augment=VARIED, epoch=3), first)
    assert torch.equal(torch.get_rng_state(), before)
    orders = [order(epoch(numbered, generator_seed=s, epoch=e)) for s in range(3) for e in range(3)]
    assert len(set(map(tuple, orders))) == 9


def gradient(images: Images) -> Images:
    """Return `numbered` with 100 added in the first column: mirrored, it is in the last."""
    pixels = images.pixels.clone()
    pixels[..., 0] += 100
    return replace(images, pixels=pixels)


def mirrored(batches: list[tuple[Tensor, Tensor]]) -> dict[int, bool]:
    """Return image -> whether it was mirrored."""
    return {
        round(255 * x[0, 0, 1].item()): x[0, 0, 3].item() > x[0, 0, 0].item() for batch, _ in batches for x in batch
    }


def test_alternating_flips_take_turns(numbered: Images) -> None:
    augment = AugmentSettings(flip=True, flip_alternating=True)
    epochs = [mirrored(epoch(gradient(numbered), 5, augment=augment, epoch=e)) for e in range(4)]
    assert all(len(each) == 20 for each in epochs)
    assert 4 <= sum(epochs[0].values()) <= 16
    assert epochs[1] == {image: not turned for image, turned in epochs[0].items()}
    assert epochs[2:] == epochs[:2]
    assert mirrored(epoch(gradient(numbered), 5, augment=augment, generator_seed=1)) != epochs[0]


def test_flips_by_chance_take_no_turns(numbered: Images) -> None:
    first, second = (
        mirrored(epoch(gradient(numbered), 5, augment=AugmentSettings(flip=True), epoch=e)) for e in (0, 1)
    )
    assert 0 < sum(first[image] == second[image] for image in first) < 20


def test_windows_are_smaller_than_the_images(numbered: Images) -> None:
    assert epoch(numbered, augment=AugmentSettings(crop=1))[0][0].shape == (6, 1, 3, 3)
    with pytest.raises(ValueError, match=r"augment\.crop is 4"):
        epoch(numbered, augment=AugmentSettings(crop=4))


@pytest.mark.parametrize("world", [2, 3])
def test_processes_together_see_what_one_sees(numbered: Images, world: int) -> None:
    options = {"augment": VARIED, "epoch": 1}
    ranks = [epoch(numbered, rank=r, world=world, **options) for r in range(world)]
    together = [tuple(torch.cat(pieces) for pieces in zip(*parts, strict=True)) for parts in zip(*ranks, strict=True)]
    assert equal(together, epoch(numbered, **options))  # type: ignore[arg-type]
    assert len({len(x) for rank in ranks for x, _ in rank}) == 1


def test_a_small_set_is_one_batch_for_all_processes(numbered: Images) -> None:
    ranks = [epoch(numbered, 64, rank=r, world=4) for r in range(4)]
    assert [i for rank in ranks for i in order(rank)] == order(epoch(numbered, 64))


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_files_give_the_same_batches_as_memory(two_classes: Path, workers: int) -> None:
    memory = load(f"folder:{two_classes}", "all")
    files = ImageFiles(tree=scan(two_classes), channels=1, size=(4, 4), name="f", split="all", workers=workers)
    for options in ({}, {"rank": 1, "world": 2}):
        assert equal(epoch(files, augment=VARIED, **options), epoch(memory, augment=VARIED, **options))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"rank": 2, "world": 2}, "rank is 2 of 2 processes"),
        ({"rank": -1}, "rank is -1"),
        ({"world": 4}, "batch_size is 6, which 4 processes cannot share evenly; give a multiple of 4"),
        ({"world": 3, "drop_last": False}, "last batch of 2 of the 20 samples cannot be shared evenly by 3"),
        ({"batch_size": 21, "world": 3}, "last batch of 20 of the 20 samples"),
    ],
)
def test_impossible_batches_are_refused_before_the_first(
    numbered: Images, change: dict[str, int], message: str
) -> None:
    options = {"batch_size": 6, "augment": PLAIN, "generator_seed": 0, "epoch": 0} | change
    with pytest.raises(ValueError, match=message):
        train_batches(numbered, **options)  # type: ignore[arg-type]


def test_no_samples(numbered: Images) -> None:
    with pytest.raises(ValueError, match="data 'numbered' has no samples to train on"):
        train_batches(numbered.subset([]), 4, augment=PLAIN, generator_seed=0, epoch=0)
