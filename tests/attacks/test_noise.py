import pytest
import torch

from drumlin.attacks import Noise


def test_it_has_the_size_asked_for_after_clipping(network):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(20, 1, 8, 8, generator=generator)
    x[:5] = x[:5].round()  # black and white: half of the noise is clipped
    y = torch.zeros(20, dtype=torch.int64)
    for size in (1e-4, 0.01, 0.1, 0.3):
        result = Noise(l2=size)(network(), x, y, generator=generator)
        torch.testing.assert_close(result.l2, torch.full((20,), size), rtol=1e-4, atol=1e-6)
        assert not result.zero_gradient.any()
        assert result.iterations.tolist() == [0] * 20


def test_it_is_gaussian_where_nothing_is_clipped(linear):
    x = torch.full((1, 1, 100, 100), 0.5)
    change = (
        Noise(l2=0.05)(linear(torch.randn(2, 10000)), x, torch.zeros(1, dtype=torch.int64)).x - x
    ).flatten() / 0.05
    assert float(change.mean()) == pytest.approx(0, abs=0.04)
    for bound, below in ((-1.0, 0.1587), (0.0, 0.5), (1.0, 0.8413)):
        assert float((change < bound).float().mean()) == pytest.approx(below, abs=0.02)


def test_what_cannot_be_reached_is_approached(linear):
    x = torch.full((1, 1, 4, 4), 0.5)
    result = Noise(l2=0.9)(linear(torch.randn(2, 16)), x, torch.zeros(1, dtype=torch.int64))
    assert result.l2.tolist() == [0.5]  # every pixel black or white
    assert set(result.x.flatten().tolist()) == {0.0, 1.0}


def test_no_noise_changes_nothing(network, images):
    x, y = images
    assert torch.equal(Noise(l2=0.0)(network(), x, y).x, x)


def test_it_reaches_a_target_if_by_chance(linear):
    classifier = linear(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))
    x, y = torch.full((200, 1, 1, 2), 0.5), torch.zeros(200, dtype=torch.int64)
    result = Noise(l2=0.2)(classifier, x, y, target=1 - y, generator=torch.Generator().manual_seed(0))
    assert float(result.success.float().mean()) == pytest.approx(0.5, abs=0.12)
