from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as V

from drumlin.data import augment, augmentation
from drumlin.data.colour import Colours, draw_colours, recolour
from drumlin.settings.data import AugmentSettings

STRONG = AugmentSettings(brightness=0.6, contrast=0.9, saturation=1.5, hue=0.5)
ONE_BY_ONE = (V.adjust_brightness, V.adjust_contrast, V.adjust_saturation, V.adjust_hue)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 40, c: int = 3) -> Tensor:
    x = torch.rand(n, c, 5, 4, generator=generator(3))
    x[0] = x[0, :1]  # grey in colour: no hue
    x[1, :, 0] = 0
    x[2, :, 0] = 1
    return x


def only(column: int, amount: float) -> Colours:
    amounts = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    amounts[0, column] = amount
    return Colours(amounts=amounts, order=torch.arange(4)[None])


def pixel(*values: float) -> Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_against_torchvision_one_image_at_a_time(channels: int) -> None:
    images = batch(c=channels)
    colours = draw_colours(STRONG, 40, generator())
    assert colours is not None
    expected = []
    for image, amounts, order in zip(images, colours.amounts.tolist(), colours.order.tolist(), strict=True):
        for number in order:
            image = ONE_BY_ONE[number](image, amounts[number])
        expected.append(image)
    before = images.clone()
    result = recolour(images, colours)
    # its weights of grey sum to 0.9999; a difference that small can grow where a pixel is nearly grey
    assert (result - torch.stack(expected)).abs().max() < 2e-3
    assert torch.equal(images, before)
    assert not torch.equal(result, images)


@pytest.mark.parametrize(
    ("column", "amount", "start", "end"),
    [
        (0, 1.5, (0.2, 0.4, 0.8), (0.3, 0.6, 1.0)),
        (1, 0.0, (1.0, 0.0, 0.0), (0.299, 0.299, 0.299)),  # one pixel is the image's mean
        (2, 2.0, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        (2, 0.0, (0.0, 1.0, 0.0), (0.587, 0.587, 0.587)),
        (3, 0.5, (1.0, 0.5, 0.0), (0.0, 0.5, 1.0)),  # orange to azure
        (3, -1 / 3, (0.2, 0.9, 0.2), (0.9, 0.2, 0.2)),
        (3, 0.25, (0.3, 0.3, 0.3), (0.3, 0.3, 0.3)),
    ],
)
def test_by_hand(column: int, amount: float, start: tuple[float, ...], end: tuple[float, ...]) -> None:
    assert torch.allclose(recolour(pixel(*start), only(column, amount)), pixel(*end), atol=1e-6)


def test_contrast_is_about_the_mean_of_each_image_alone() -> None:
    images = torch.tensor([0.0, 0.5, 0.4, 0.8]).view(2, 1, 1, 2)
    colours = Colours(amounts=torch.tensor([[1.0, 0.5, 1.0, 0.0]] * 2), order=torch.arange(4).expand(2, 4))
    assert torch.allclose(recolour(images, colours).flatten(), torch.tensor([0.125, 0.375, 0.5, 0.7]))


def test_the_order_matters_and_is_the_images_own() -> None:
    images = pixel(0.6, 0.2, 0.1).expand(2, 3, 1, 1)
    amounts = torch.tensor([[3.0, 1.0, 0.0, 0.0]] * 2)
    orders = torch.tensor([[0, 2, 1, 3], [2, 0, 1, 3]])
    bright_first, grey_first = recolour(images, Colours(amounts=amounts, order=orders))[:, 0, 0, 0].tolist()
    assert bright_first == pytest.approx(0.299 * 1 + 0.587 * 0.6 + 0.114 * 0.3)  # clamped in between
    assert grey_first == pytest.approx(3 * (0.299 * 0.6 + 0.587 * 0.2 + 0.114 * 0.1))


def test_draws_are_uniform() -> None:
    n = 24_000
    colours = draw_colours(STRONG, n, generator())
    assert colours is not None
    for column, (low, high) in enumerate([(0.4, 1.6), (0.1, 1.9), (0.0, 2.5), (-0.5, 0.5)]):
        values = (colours.amounts[:, column] - low) / (high - low)
        assert 0 <= values.min() < 0.001 < 0.999 < values.max() <= 1
        assert abs(values.mean() - 0.5) < 0.01
    orders = colours.order.unique(dim=0, return_counts=True)[1]
    assert len(orders) == 24
    assert (orders - n / 24).abs().max() < 160  # five standard deviations


def test_nothing_is_drawn_where_nothing_varies() -> None:
    source = generator()
    before = source.get_state()
    assert draw_colours(AugmentSettings(flip=True, shift=2), 5, source) is None
    assert torch.equal(source.get_state(), before)


def test_bytes_are_rounded_once_and_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    images = (batch() * 255).round().byte()
    whole = augment(images, STRONG, generator())
    colours = draw_colours(STRONG, 40, generator())
    assert colours is not None
    assert torch.equal(whole, (recolour(images.float() / 255, colours) * 255).round().byte())
    monkeypatch.setattr(augmentation, "_CHUNK_BYTES", 7 * 4 * 3 * 5 * 4)
    assert torch.equal(augment(images, STRONG, generator()), whole)


def test_what_is_cut_out_stays_black() -> None:
    settings = AugmentSettings(brightness=0.5, contrast=0.9, cutout=9)
    assert augment(torch.full((8, 3, 5, 5), 200).byte(), settings, generator()).unique().tolist()[0] == 0
    covered = augment(torch.full((8, 3, 3, 3), 200).byte(), settings, generator())
    assert covered.unique().tolist() == [0]
