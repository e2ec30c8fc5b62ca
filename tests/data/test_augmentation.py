from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from drumlin.data import augment
from drumlin.data.augmentation import Draws, draw, vary
from drumlin.settings.data import AugmentSettings

FLIPS = [0, 1, 1, 0, 1, 1, 1, 1, 1, 1]
SHIFTS = [-1, -1, -1, 2, 1, -1, -1, 1, 2, 1, -1, 2, -1, 2, 2, -1, 2, 2, 2, -2]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 64, c: int = 3, h: int = 6, w: int = 9) -> Tensor:
    return torch.randint(1, 256, (n, c, h, w), generator=generator(9)).byte()


def one_by_one(images: Tensor, settings: AugmentSettings, draws: Draws) -> Tensor:
    """The slow way: pad, crop, mirror, cut each image."""
    mode, s = {"zero": "constant", "reflect": "reflect"}[settings.pad], settings.shift
    h, w = (side - settings.crop for side in images.shape[2:])
    results = []
    for i, image in enumerate(images):
        padded = F.pad(image[None].double(), (s, s, s, s), mode=mode)[0]
        # `vary` says where the corner comes from in the original; mirrored, columns are read from the right
        top, left = (0, 0) if draws.shift is None else draws.shift[i].tolist()
        result = padded[:, s + top : s + top + h, s + left : s + left + w]
        if draws.flip is not None and draws.flip[i]:
            result = result.flip(2)
        if draws.hole is not None:
            row, column = (draws.hole[i] - settings.cutout // 2).tolist()
            result = result.clone()
            result[:, max(row, 0) : row + settings.cutout, max(column, 0) : column + settings.cutout] = 0
        results.append(result)
    return torch.stack(results).to(images.dtype)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize(
    "settings",
    [
        AugmentSettings(flip=True),
        AugmentSettings(shift=2),
        AugmentSettings(shift=5, pad="reflect"),
        AugmentSettings(shift=8),
        AugmentSettings(cutout=3),
        AugmentSettings(cutout=4),
        AugmentSettings(flip=True, shift=3, cutout=2),
        AugmentSettings(flip=True, shift=3, pad="reflect", cutout=5),
        AugmentSettings(crop=2),
        AugmentSettings(flip=True, crop=5),
        AugmentSettings(flip=True, crop=1, shift=3, cutout=2),
        AugmentSettings(crop=3, shift=5, pad="reflect", cutout=3),
    ],
)
def test_against_one_image_at_a_time(settings: AugmentSettings, dtype: torch.dtype) -> None:
    images = batch().to(dtype)
    before = images.clone()
    result = augment(images, settings, generator())
    assert result.dtype == dtype
    assert torch.equal(result, one_by_one(images, settings, draw(settings, 64, (6, 9), generator())))
    assert torch.equal(images, before)
    assert not torch.equal(result, images)


def test_reflection_by_hand() -> None:
    row = torch.tensor([1, 2, 3]).byte().view(1, 1, 1, 3).expand(1, 1, 3, 3)
    draws = Draws(flip=None, shift=torch.tensor([[0, -2]]), hole=None)
    assert vary(row, AugmentSettings(shift=2, pad="reflect"), draws)[0, 0, 0].tolist() == [3, 2, 1]
    draws = Draws(flip=None, shift=torch.tensor([[0, 1]]), hole=None)
    assert vary(row, AugmentSettings(shift=2, pad="reflect"), draws)[0, 0, 0].tolist() == [2, 3, 2]
    assert vary(row, AugmentSettings(shift=2), draws)[0, 0, 0].tolist() == [2, 3, 0]


def test_nothing_to_vary_is_nothing_done() -> None:
    images, source = batch(), generator()
    before = source.get_state()
    assert augment(images, AugmentSettings(), source) is images
    assert torch.equal(source.get_state(), before)


def test_draws_are_uniform() -> None:
    n = 30_000
    draws = draw(AugmentSettings(flip=True, shift=2, cutout=3), n, (3, 5), generator())
    assert draws.flip is not None
    assert draws.shift is not None
    assert draws.hole is not None
    assert abs(draws.flip.float().mean() - 0.5) < 0.02
    for values, count in [
        (draws.shift[:, 0] + 2, 5),
        (draws.shift[:, 1] + 2, 5),
        (draws.hole[:, 0], 3),
        (draws.hole[:, 1], 5),
    ]:
        shares = values.bincount() / n
        assert len(shares) == count
        assert (shares - 1 / count).abs().max() < 0.02
    joint = ((draws.shift[:, 0] + 2) * 5 + draws.shift[:, 1] + 2).bincount() / n
    assert (joint - 1 / 25).abs().max() < 0.01


def test_crops_are_uniform_and_alone_leave_no_border() -> None:
    settings = AugmentSettings(crop=2)
    draws = draw(settings, 30_000, (3, 5), generator())
    assert draws.shift is not None
    places = (draws.shift[:, 0] * 3 + draws.shift[:, 1]).bincount() / 30_000
    assert len(places) == 9
    assert (places - 1 / 9).abs().max() < 0.01
    result = augment(batch(), settings, generator())
    assert result.shape == (64, 3, 4, 7)
    assert result.min() > 0


def test_new_variations_leave_old_draws_as_they_were() -> None:
    old = draw(AugmentSettings(flip=True, shift=2, cutout=3), 10, (6, 9), generator())
    new = draw(AugmentSettings(flip=True, shift=2, cutout=3, brightness=0.5), 10, (6, 9), generator())
    assert old.flip is not None
    assert old.shift is not None
    assert old.hole is not None
    assert new.flip is not None
    assert torch.equal(old.flip, new.flip)
    # drawn with these settings before crops and colours were
    assert old.flip.int().tolist() == FLIPS
    assert old.shift.flatten().tolist() == SHIFTS


def test_which_are_mirrored_can_be_given() -> None:
    images, mirrored = batch(3), torch.tensor([True, False, True])
    settings = AugmentSettings(flip=True, flip_alternating=True)
    source = generator()
    before = source.get_state()
    result = vary(images, settings, draw(settings, 3, (6, 9), source, mirrored=mirrored))
    assert torch.equal(source.get_state(), before)
    assert torch.equal(result, torch.stack([images[0].flip(2), images[1], images[2].flip(2)]))
    assert torch.equal(augment(images, settings, generator()), augment(images, AugmentSettings(flip=True), generator()))


def test_images_are_varied_each_for_itself() -> None:
    images = batch(1).expand(64, 3, 6, 9)
    assert len(augment(images, AugmentSettings(flip=True, shift=3), generator()).unique(dim=0)) > 30


def test_parts_are_what_the_whole_would_be() -> None:
    settings = AugmentSettings(flip=True, crop=1, shift=2, cutout=3, contrast=0.5, hue=0.3)
    images = batch(10)
    draws = draw(settings, 10, (6, 9), generator())
    parts = [vary(images[i:j], settings, draws.part(i, j)) for i, j in ((0, 3), (3, 10))]
    assert torch.equal(torch.cat(parts), vary(images, settings, draws))


def test_a_crop_leaves_a_pixel() -> None:
    with pytest.raises(ValueError, match=r"augment.crop is 6; it must be below the side of the images cut, 6"):
        augment(batch(), AugmentSettings(crop=6), generator())


def test_reflection_reaches_no_further_than_the_image() -> None:
    with pytest.raises(ValueError, match=r"augment.shift is 6; .* below the image's side, 6"):
        augment(batch(), AugmentSettings(shift=6, pad="reflect"), generator())
