from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from drumlin.data import Images


def test_shape(numbered: Images) -> None:
    wide = replace(numbered, pixels=numbered.pixels[:, :, :2])
    assert (len(wide), wide.size, wide.channels) == (20, (2, 4), 1)


def test_subset_keeps_order_and_classes(numbered: Images) -> None:
    for chosen in ([5, 0, 5], torch.tensor([5, 0, 5])):
        part = numbered.subset(chosen)
        assert part.pixels[:, 0, 0, 0].tolist() == [5, 0, 5]
        assert part.labels.tolist() == [1, 0, 1]
        assert part.class_names == ("even", "odd")
    assert len(numbered.subset([])) == 0


def test_floats_span_the_unit_interval(numbered: Images) -> None:
    images = replace(numbered, pixels=numbered.pixels * 13)
    assert images.float([0])[0, 0, 0, 0] == 0
    assert images.float(slice(19, 20))[0, 0, 0, 0] == torch.tensor(247 / 255)
    assert images.float().dtype == torch.float32
    assert images.float().shape == (20, 1, 4, 4)
    assert images.pixels.max() == 247  # not converted in place


def test_batches_are_all_samples_in_order(numbered: Images) -> None:
    batches = list(numbered.batches(8))
    assert [len(x) for x, _ in batches] == [8, 8, 4]
    assert torch.equal(torch.cat([x for x, _ in batches]), numbered.float())
    assert torch.equal(torch.cat([y for _, y in batches]), numbered.labels)
    assert list(numbered.subset([]).batches(8)) == []
    with pytest.raises(ValueError, match="batch_size is 0"):
        numbered.batches(0)


def test_fingerprint_is_of_the_content_alone(numbered: Images) -> None:
    assert replace(numbered, name="other", split="test").fingerprint == numbered.fingerprint
    pixels, labels = numbered.pixels.clone(), numbered.labels.clone()
    pixels[3, 0, 1, 2] += 1
    labels[3] = 0
    others = [
        replace(numbered, pixels=pixels),
        replace(numbered, labels=labels),
        replace(numbered, class_names=("even", "uneven")),
        replace(numbered, pixels=numbered.pixels.view(20, 1, 2, 8)),
        numbered.subset(range(19, -1, -1)),
    ]
    assert len({numbered.fingerprint, *(images.fingerprint for images in others)}) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": torch.zeros(20, 1, 4, 4)}, "pixels are torch.float32"),
        ({"pixels": torch.zeros(20, 4, 4, dtype=torch.uint8)}, "must be uint8"),
        ({"pixels": torch.zeros(20, 2, 4, 4, dtype=torch.uint8)}, "1 or 3 channels"),
        ({"labels": torch.zeros(19, dtype=torch.int64)}, r"must be int64 \(20,\)"),
        ({"labels": torch.zeros(20)}, "labels are torch.float32"),
        ({"labels": torch.full((20,), 2)}, "labels run from 2 to 2; with 2 class names they must lie in 0..1"),
        ({"labels": torch.full((20,), -1)}, "labels run from -1"),
    ],
)
def test_what_does_not_belong_together_is_refused(numbered: Images, change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(numbered, **change)  # type: ignore[arg-type]
