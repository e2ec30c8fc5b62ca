import pytest
import torch
from torch import nn
from torch.nn import functional as F

from drumlin.backbones.narrow import NarrowConv2d, SideBySide, side_by_side

SHAPES = [(13, 3, 3), (8, 3, 3), (1, 7, 7), (5, 7, 7), (9, 4, 8), (3, 8, 5), (2, 2, 40), (2, 1, 1)]
"""Images, height, width: rows that are full, and others that are not; maps that are higher than wide, and wider than a row."""


@pytest.fixture
def amx(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)


@pytest.mark.parametrize(("n", "h", "w"), SHAPES)
def test_gradients_are_those_of_the_convolution(n, h, w):
    torch.manual_seed(0)
    x, weight = torch.randn(n, 2, h, w, dtype=torch.float64), torch.randn(4, 2, 3, 3, dtype=torch.float64)
    g = torch.randn(n, 4, h, w, dtype=torch.float64)
    expected = [leaf.clone().requires_grad_() for leaf in (x, weight)]
    F.conv2d(*expected, padding=1).backward(g)
    found = [leaf.clone().requires_grad_() for leaf in (x, weight)]
    SideBySide.apply(*found).backward(g)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_gradients_have_gradients():
    torch.manual_seed(0)
    leaves = torch.randn(3, 2, 2, 3, dtype=torch.float64), torch.randn(2, 2, 3, 3, dtype=torch.float64)
    for leaf in leaves:
        leaf.requires_grad_()
    assert torch.autograd.gradcheck(SideBySide.apply, leaves)
    assert torch.autograd.gradgradcheck(SideBySide.apply, leaves)


def test_only_the_gradients_that_are_asked_for_are_computed():
    x, weight = torch.randn(3, 2, 3, 3), torch.randn(2, 2, 3, 3, requires_grad=True)
    SideBySide.apply(x, weight).sum().backward()
    assert x.grad is None
    x.requires_grad_()
    SideBySide.apply(x, weight.detach()).sum().backward()
    torch.testing.assert_close(x.grad, torch.autograd.grad(F.conv2d(x, weight, padding=1).sum(), x)[0])


def test_maps_lie_in_rows_with_zeros_between_and_after_them():
    x = torch.arange(1.0, 19.0).view(3, 1, 2, 3)
    (wide,) = side_by_side(x)[:, 0]
    assert side_by_side(x).shape == (1, 1, 2, 32)
    assert wide[0, :12].tolist() == [1, 2, 3, 0, 7, 8, 9, 0, 13, 14, 15, 0]
    assert wide[1, :12].tolist() == [4, 5, 6, 0, 10, 11, 12, 0, 16, 17, 18, 0]
    assert not wide[:, 12:].any()
    assert side_by_side(torch.ones(9, 2, 3, 3)).is_contiguous(memory_format=torch.channels_last)


def test_in_bfloat16_it_is_as_near_to_the_exact_gradient_as_torchs_own(amx):
    torch.manual_seed(0)
    narrow, plain = NarrowConv2d(16, 24), nn.Conv2d(16, 24, 3, padding=1, bias=False)
    plain.load_state_dict(narrow.state_dict())
    x = torch.randn(37, 16, 7, 7).to(memory_format=torch.channels_last)
    g = torch.randn(37, 24, 7, 7).bfloat16()
    exact = narrow.weight.detach().double().requires_grad_()
    F.conv2d(x.double(), exact, padding=1).backward(g.double())
    distances = []
    for layer in (narrow, plain):
        with torch.autocast("cpu", torch.bfloat16):
            z = layer(x)
        z.backward(g)
        assert (z.dtype, layer.weight.grad.dtype) == (torch.bfloat16, torch.float32)
        assert layer.weight.grad.stride() == layer.weight.stride()
        distances.append(float((layer.weight.grad - exact.grad).norm() / exact.grad.norm()))
    assert 0 < distances[0] < 1.1 * distances[1]
    assert distances[1] < 0.01


def _taken(layer, x):
    z = layer(x)
    return z.requires_grad and "SideBySide" in type(z.grad_fn).__name__


def test_it_is_taken_in_bfloat16_on_narrow_maps_alone(amx, monkeypatch):
    layer, x = NarrowConv2d(2, 3), torch.randn(4, 2, 8, 8)
    assert not _taken(layer, x), "float32"
    with torch.autocast("cpu", torch.bfloat16):
        assert _taken(layer, x)
        assert not _taken(layer, torch.randn(4, 2, 8, 9)), "wider maps"
        with torch.no_grad():
            assert not _taken(layer, x), "nobody asks for gradients"
        layer.weight.requires_grad_(False)
        assert not _taken(layer, x.clone().requires_grad_()), "nobody asks for the weights'"
        layer.weight.requires_grad_(True)
        assert not _taken(layer.eval(), x.clone().requires_grad_()), "an attack on images"
        layer.train()
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
        assert not _taken(layer, x), "another processor"
    with torch.autocast("cpu", torch.float16):
        assert not _taken(layer, x), "another precision"
