import math

import pytest
import torch

from drumlin.functional import isotropic_loss
from reference import features


def draw(n, d=3, offset=0.0, seed=0):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + offset


def test_by_hand():
    """0, 0 and 3: z̄ = 1, D = 1, 1, 2, D̄ = 4/3, so (1/9, 1/9, 4/9) times 3/2."""
    loss = isotropic_loss(torch.tensor([[0.0], [0.0], [3.0]]))
    torch.testing.assert_close(loss, torch.tensor([1 / 6, 1 / 6, 2 / 3]))


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_equals_the_slow_loop(n, offset):
    z = draw(n, offset=offset)
    torch.testing.assert_close(isotropic_loss(z), features.isotropic_loss(z))


def test_its_mean_is_the_unbiased_variance_of_distances():
    z = draw(9)
    torch.testing.assert_close(isotropic_loss(z).mean(), (z - z.mean(0)).norm(dim=1).var())


def test_gradients():
    assert torch.autograd.gradcheck(isotropic_loss, draw(5).requires_grad_())


def test_points_on_a_circle_lose_nothing():
    angles = torch.arange(12) * (math.pi / 6)
    z = 5 * torch.stack([angles.cos(), angles.sin()], 1) + 2
    torch.testing.assert_close(isotropic_loss(z), torch.zeros(12), atol=1e-10, rtol=0)


@pytest.mark.parametrize("n", [0, 1])
def test_of_one_sample_and_of_none_it_is_0_with_gradient_0(n):
    z = torch.ones(n, 3, requires_grad=True)
    loss = isotropic_loss(z)
    assert torch.equal(loss, torch.zeros(n))
    loss.sum().backward()
    assert torch.equal(z.grad, torch.zeros(n, 3))


def test_a_sample_at_the_mean_has_a_finite_gradient():
    """At D_i = 0 the root has none: it is taken as 0 there. The others' is as anywhere: (D_i − D̄) weighs their direction."""
    z = torch.tensor([[0.0, 0.0], [3.0, 0.0], [-3.0, 0.0]], requires_grad=True)  # D = 0, 3, 3; D̄ = 2
    isotropic_loss(z).sum().backward()
    # Σ_i 2 (3/2) (D_i − D̄) ∂D_i/∂z: the ∂D_i/∂z̄ of the outer two cancel, and so do all ∂D̄.
    torch.testing.assert_close(z.grad, torch.tensor([[0.0, 0.0], [3.0, 0.0], [-3.0, 0.0]]))
    z = torch.ones(4, 2, requires_grad=True)
    isotropic_loss(z).sum().backward()
    assert not z.grad.any()


def test_of_some_samples_against_a_larger_batch():
    z = draw(8).requires_grad_()
    parts = [isotropic_loss(z[:3], z), isotropic_loss(z[3:7], z), isotropic_loss(z[7:], z)]
    torch.testing.assert_close(torch.cat(parts), isotropic_loss(z))
    of_parts = torch.autograd.grad(sum(part.sum() for part in parts), z)
    torch.testing.assert_close(of_parts, torch.autograd.grad(isotropic_loss(z).sum(), z))


def test_moving_rotating_and_reordering_do_nothing_and_scaling_squares():
    z = draw(7)
    loss, turn = isotropic_loss(z), torch.linalg.qr(draw(3, seed=1)).Q
    torch.testing.assert_close(isotropic_loss(z + 40), loss)
    torch.testing.assert_close(isotropic_loss(z @ turn), loss)
    torch.testing.assert_close(isotropic_loss(z.flip(0)), loss.flip(0))
    torch.testing.assert_close(isotropic_loss(3 * z), 9 * loss)
    assert not torch.allclose(isotropic_loss(z * torch.tensor([1.0, 1.0, 3.0])), loss), "it is a matter of shape"


def test_is_not_computed_in_half_precision():
    z = draw(6).bfloat16()
    assert isotropic_loss(z).dtype == torch.float32
    assert torch.equal(isotropic_loss(z), isotropic_loss(z.float()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(isotropic_loss(z.float()), isotropic_loss(z))
