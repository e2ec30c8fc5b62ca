import math

import pytest
import torch

from drumlin.functional import center_loss, mixture_terms
from reference import features
from reference.problems import random_problem


def test_by_hand():
    """½ (3² + 4²) from the last center, ½ (2² + 3²) from the first."""
    z, centers = torch.tensor([[3.0, 4.0]] * 2), torch.tensor([[1.0, 1.0], [9.0, 9.0], [0.0, 0.0]])
    torch.testing.assert_close(center_loss(z, torch.tensor([2, 0]), centers), torch.tensor([12.5, 6.5]))


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("n", [0, 1, 6])
def test_equals_the_slow_loop(n, k):
    problem = random_problem(n=n, k=k)
    expected = features.center_loss(problem.z, problem.y, problem.means)
    torch.testing.assert_close(center_loss(problem.z, problem.y, problem.means), expected)


def test_gradients():
    problem = random_problem()
    assert torch.autograd.gradcheck(lambda z, c: center_loss(z, problem.y, c), (problem.z, problem.means))


def test_lemma_1():
    """−log of the component's density at Λ = I is the center loss + (D/2) log 2π (L eq. 16); the head's term leaves that out."""
    problem = random_problem(d=3)
    loss = center_loss(problem.z, problem.y, problem.means)
    density = torch.distributions.MultivariateNormal(problem.means[problem.y], torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(-density.log_prob(problem.z), loss + 1.5 * math.log(2 * math.pi))
    component = mixture_terms(problem.z, problem.y, problem.means, likelihood="component").likelihood
    torch.testing.assert_close(loss, component)


def test_is_not_computed_in_half_precision():
    """bfloat16 has 8 bits: next to a center at 100 features would be rounded to halves."""
    z, y, centers = torch.tensor([[0.001]]).bfloat16(), torch.tensor([0]), torch.tensor([[100.0]])
    loss = center_loss(z, y, centers)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(0.5 * (100 - z.item()) ** 2, rel=1e-6)
    assert center_loss(z.double(), y, centers).dtype == torch.float64
