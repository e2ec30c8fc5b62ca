import math

import pytest
import torch

from drumlin.functional import gm_optimal_distance, mixture_terms
from reference.problems import random_problem


def test_by_hand():
    """K=10, λ=0.1: r = 0.18, u = 0.18/0.82, d² = 2 ln(9/u) = 2 ln 41."""
    assert gm_optimal_distance(10, 0.1) == pytest.approx(math.sqrt(2 * math.log(41)), abs=1e-12)
    assert gm_optimal_distance(10, 0.1) == pytest.approx(2.725, abs=5e-4)
    # K=2, λ=0.25: r = 0.25, u = 1/3, d² = 2 ln 3
    assert gm_optimal_distance(2, 0.25) == pytest.approx(math.sqrt(2 * math.log(3)))
    assert gm_optimal_distance(2, 0.25, margin=0.5) == pytest.approx(math.sqrt(2 * (math.log(3) + 0.5)))


def descend(margin, kind, weight=0.1, k=4, d=3):
    """Minimise the GM loss over a free feature a class and the means; return the distances of all pairs of means."""
    problem = random_problem(n=k, k=k, d=d, scale=0.5, seed=3)
    problem.y = torch.arange(k)
    optimiser = torch.optim.LBFGS(
        [problem.z, problem.means], max_iter=500, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        terms = mixture_terms(problem.z, problem.y, problem.means, margin=margin, margin_kind=kind)
        loss = (terms.classification + weight * terms.likelihood).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    terms = mixture_terms(problem.z, problem.y, problem.means)
    return torch.pdist(problem.means.detach()), terms.logits.softmax(1).diagonal()


@pytest.mark.parametrize(
    ("margin", "kind", "known"), [(0.0, "adaptive", 0.0), (0.4, "adaptive", 0.0), (0.7, "constant", 0.7)]
)
def test_descent_ends_there(margin, kind, known):
    """An adaptive margin does not move the optimum, a constant one does."""
    distances, posterior = descend(margin, kind)
    torch.testing.assert_close(
        distances, torch.full_like(distances, gm_optimal_distance(4, 0.1, known)), rtol=0, atol=1e-3
    )
    if margin == 0:  # the true class's posterior there is 1 − r
        torch.testing.assert_close(posterior, torch.full_like(posterior, 1 - 0.2 * 3 / 4), rtol=0, atol=1e-3)


def test_from_one_half_on_means_collapse():
    assert descend(0.0, "adaptive", weight=0.7)[0].max() < 1e-3


@pytest.mark.parametrize("weight", [0.0, 0.5, 0.7, -0.1, math.nan])
def test_refuses_a_weight_without_optimum(weight):
    with pytest.raises(ValueError, match=r"likelihood_weight must lie strictly between 0 and 0\.5, got .*collapse"):
        gm_optimal_distance(10, weight)


@pytest.mark.parametrize("classes", [1, 0, -3])
def test_refuses_fewer_than_two_classes(classes):
    with pytest.raises(ValueError, match=f"num_classes must be at least 2 .* got {classes}"):
        gm_optimal_distance(classes, 0.1)
