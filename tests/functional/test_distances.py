"""Distances as logits: by hand, against differences, far from the origin, and twice differentiable."""

import pytest
import torch

from drumlin.functional import distance_logits


def problem(dtype=torch.float64, offset=0.0):
    generator = torch.Generator().manual_seed(0)
    z, means = (torch.randn(rows, 3, dtype=torch.float64, generator=generator) + offset for rows in (5, 4))
    return z.to(dtype), means.to(dtype)


def test_by_hand():
    """(3, 4) lies 5 from the origin and 1 from (3, 3)."""
    logits = distance_logits(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0], [3.0, 3.0]]))
    torch.testing.assert_close(logits, torch.tensor([[-12.5, -0.5]]))


@pytest.mark.parametrize(("offset", "dtype", "error"), [(0, torch.float64, 1e-12), (100, torch.float32, 1e-4)])
def test_equals_differences(offset, dtype, error):
    """An offset of 100 leaves float32 coordinates exact to 4e-6; without centring squares of 1e4 would lose a hundred times that."""
    z, means = problem(dtype, offset)
    expected = -0.5 * (z.double()[:, None] - means.double()).square().sum(2)
    torch.testing.assert_close(distance_logits(z, means).double(), expected, rtol=error, atol=error)


def test_gradients():
    z, means = problem()
    inputs = z.requires_grad_(), means.requires_grad_()
    assert torch.autograd.gradcheck(distance_logits, inputs)
    assert torch.autograd.gradgradcheck(distance_logits, inputs)


def test_half_precision_autocast_and_no_samples():
    z, means = problem(torch.float32)
    half = z.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = distance_logits(half, means)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, distance_logits(half.float(), means))
    assert distance_logits(z[:0], means).shape == (0, 4)
