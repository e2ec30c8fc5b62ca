import pytest
import torch

from drumlin.functional import contrastive_center_loss
from reference import features
from reference.problems import random_problem


def test_by_hand():
    """Distances² 4, 1, 9 from 0 with δ = 2: the true class's over those of the others, halved."""
    z, centers = torch.zeros(3, 1), torch.tensor([[2.0], [1.0], [-3.0]])
    expected = torch.tensor([4 / 12, 1 / 15, 9 / 7]) / 2
    torch.testing.assert_close(contrastive_center_loss(z, torch.tensor([0, 1, 2]), centers, delta=2.0), expected)


@pytest.mark.parametrize("k", [2, 3, 6])
@pytest.mark.parametrize("n", [0, 1, 6])
@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_equals_the_slow_loop(n, k, offset):
    problem = random_problem(n=n, k=k, offset=offset)
    expected = features.contrastive_center_loss(problem.z, problem.y, problem.means, 0.7)
    torch.testing.assert_close(contrastive_center_loss(problem.z, problem.y, problem.means, delta=0.7), expected)


@pytest.mark.parametrize("k", [2, 4])
def test_gradients(k):
    problem = random_problem(k=k)
    assert torch.autograd.gradcheck(lambda z, c: contrastive_center_loss(z, problem.y, c), (problem.z, problem.means))


def test_delta_is_one_by_default():
    problem = random_problem()
    arguments = problem.z, problem.y, problem.means
    assert torch.equal(contrastive_center_loss(*arguments), contrastive_center_loss(*arguments, delta=1.0))


@pytest.mark.parametrize("far", [30.0, 1000.0])
def test_near_the_wrong_center_of_two(far):
    """The own distance² is up to a million times the other: from their sum float32 could not take it out again."""
    centers = torch.tensor([[far, far], [0.0, 0.0]])
    z, y = torch.tensor([[0.3, -0.4]]), torch.tensor([0])
    expected = features.contrastive_center_loss(z.double(), y, centers.double(), 1e-3)
    found = contrastive_center_loss(z, y, centers, delta=1e-3).double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_all_centers_in_one_place():
    """As at the start: A / ((K−1) A + 1), and every gradient finite."""
    z, centers = torch.ones(2, 2, requires_grad=True), torch.zeros(4, 2, requires_grad=True)
    loss = contrastive_center_loss(z, torch.tensor([0, 3]), centers)
    torch.testing.assert_close(loss, torch.full((2,), 0.5 * 2 / 7))
    loss.sum().backward()
    assert z.grad.isfinite().all()
    assert centers.grad.isfinite().all()
    assert (centers.grad[0] < 0).all(), "descent moves the own center to the sample"
    assert (centers.grad[1] > 0).all(), "and those of others away"


def test_is_not_computed_in_half_precision():
    problem = random_problem(dtype=torch.float32)
    half = problem.z.bfloat16()
    loss = contrastive_center_loss(half, problem.y, problem.means)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, contrastive_center_loss(half.float(), problem.y, problem.means))
