import math

import pytest
import torch
from torch import nn

from drumlin.attacks import CarliniWagner
from drumlin.heads import GaussianMixtureHead
from drumlin.model import Classifier, InputSpec

CLOSE = CarliniWagner()
"""The defaults must do for closed forms."""


@pytest.fixture
def gaussian():
    """Images of 4 pixels are their own features; the head has three means and Λ = I: the nearest mean's class."""
    means = 0.4 + 0.3 * torch.eye(3, 4, dtype=torch.float64)  # equally far apart
    head = GaussianMixtureHead(4, 3)
    with torch.no_grad():
        head.means.copy_(means)
    inputs = InputSpec(channels=1, size=(2, 2), mean=(0.0,), std=(1.0,))
    return Classifier(nn.Flatten(), head, ["a", "b", "c"], inputs).double().eval(), means


@pytest.fixture
def points():
    """Images near the middle, so that the bounds [0, 1] are far."""
    return 0.3 + 0.4 * torch.rand(12, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def distances(result, x):
    return (result.x - x).flatten(1).norm(dim=1)


@pytest.fixture
def centred(linear):
    """Logits W(x − ½) of three classes, all of which meet in the middle."""
    w = (
        torch.eye(3, 4, dtype=torch.float64) + 0.3
    )  # equally far apart: the highest other logit's boundary is the nearest
    classifier = linear(w)
    classifier.mean.fill_(0.5)
    return classifier, w


@pytest.mark.parametrize("targeted", [False, True])
def test_the_distance_to_the_boundary_of_a_linear_model(centred, points, targeted):
    classifier, w = centred
    logits = (points.flatten(1) - 0.5) @ w.T
    y = logits.argmax(1)
    own = logits.gather(1, y[:, None])
    to_each = (own - logits) / (w[y][:, None] - w[None]).norm(dim=2).clamp_min(1e-9)
    if targeted:
        target = (y + 1) % 3
        result = CLOSE(classifier, points, y, target=target)
        away = (w[:, None] - w[None]).norm(dim=2)
        # To the target's region, the intersection of two half-spaces: at least as far as to each of them
        others = [
            (logits[:, k] - logits.gather(1, target[:, None])[:, 0]) / away[k, target].clamp_min(1e-9) for k in range(3)
        ]
        bound = torch.stack(others).amax(0)
        assert result.success.all()
        assert (distances(result, points) >= bound - 1e-9).all()
        assert distances(result, points).div(bound).median() < 1.01
    else:
        expected = to_each.scatter(1, y[:, None], torch.inf).amin(1)
        result = CLOSE(classifier, points, y)
        assert result.success.all()
        torch.testing.assert_close(distances(result, points), expected, rtol=0.03, atol=1e-3)
        assert (distances(result, points) >= expected).all()
        torch.testing.assert_close(result.l2, distances(result, points) / 2)  # √(1·2·2)


def test_the_distance_to_the_bisector_of_two_means(gaussian, points):
    classifier, means = gaussian
    z = points.flatten(1)
    d = (z[:, None] - means[None]).square().sum(2)
    y = d.argmin(1)
    apart = (means[y][:, None] - means[None]).norm(dim=2)
    expected = ((d - d.gather(1, y[:, None])) / (2 * apart.clamp_min(1e-9))).scatter(1, y[:, None], torch.inf).amin(1)
    result = CLOSE(classifier, points, y)
    assert result.success.all()
    torch.testing.assert_close(distances(result, points), expected, rtol=0.03, atol=1e-3)
    assert (distances(result, points) >= expected).all()


def test_confidence_by_closed_form(linear, points):
    """Of two classes the lead is linear in x, with slope ‖w₁ − w₀‖: κ takes κ/‖w₁ − w₀‖ more."""
    w = torch.tensor([[0.5, -0.5, 0.0, 0.3], [-0.5, 0.5, 0.2, 0.3]], dtype=torch.float64)
    classifier = linear(w)
    classifier.mean.fill_(0.5)
    logits = classifier(points).detach()
    y = logits.argmax(1)
    gap = logits.amax(1) - logits.amin(1)
    for kappa in (0.0, 0.1):
        result = CarliniWagner(kappa=kappa)(classifier, points, y)
        expected = (gap + kappa) / (w[1] - w[0]).norm()
        torch.testing.assert_close(distances(result, points), expected, rtol=0.03, atol=1e-3)
        found = classifier(result.x).detach().gather(1, torch.stack([y, 1 - y], 1))
        assert (found[:, 1] - found[:, 0] > kappa).all()


def test_what_succeeds_untouched_is_left_alone(linear):
    classifier = linear(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    x = torch.tensor([[[[0.3, 0.6]]], [[[0.6, 0.3]]]])
    y = torch.tensor([0, 0])  # the first is misclassified, by a lead of 0.3
    result = CarliniWagner()(classifier, x, y)
    assert torch.equal(result.x[0], x[0])
    assert result.iterations[0] == 0
    assert result.success.tolist() == [True, True]
    assert result.l2[0] == 0
    assert result.iterations[1] > 0
    confident = CarliniWagner(kappa=0.5)(classifier, x, y)  # more than its lead: now it has some way to go
    assert float(confident.x[0, 0, 0, 1] - confident.x[0, 0, 0, 0]) == pytest.approx(0.5, abs=0.01)
    target = CarliniWagner()(classifier, x, y, target=torch.tensor([1, 1]))
    assert target.iterations[0] == 0


def test_without_success_the_image_is_what_it_was(linear):
    classifier = linear(torch.tensor([[2.0, 1.0], [1.0, 0.0]]))  # logits 2a + b and a: the first is always higher
    x = torch.tensor([[[[0.5, 0.5]]], [[[0.7, 0.2]]]])
    result = CarliniWagner(steps=50)(classifier, x, torch.tensor([0, 0]))
    assert torch.equal(result.x, x)
    assert result.success.tolist() == [False, False]
    assert result.linf.tolist() == [0.0, 0.0]
    far = CarliniWagner(kappa=100.0, steps=20)(
        linear(torch.eye(2)), x, torch.tensor([0, 0])
    )  # no lead of 100 within the bounds
    assert torch.equal(far.x, x)


def test_ties_are_no_success(linear):
    """Where logits are equal argmax says the first class, so that 1 → 0 would be free if a tie counted."""
    classifier = linear(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    x = torch.tensor([[[[0.4, 0.5]]]])
    result = CarliniWagner()(classifier, x, torch.tensor([1]))
    assert result.x[0, 0, 0, 0] > result.x[0, 0, 0, 1]
    assert bool(result.success)


def test_bounds_hold_without_clipping(linear):
    classifier = linear(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    x = torch.tensor([[[[1.0, 0.0]]], [[[0.95, 0.0]]]])
    result = CarliniWagner(lr=0.05)(classifier, x, torch.tensor([0, 0]))
    assert result.success.all()
    torch.testing.assert_close(result.x.flatten(), torch.tensor([0.5, 0.5, 0.475, 0.475]), atol=0.02, rtol=0)


def test_the_search_over_c_mends_a_bad_first_one(centred, points):
    classifier, w = centred
    y = ((points.flatten(1) - 0.5) @ w.T).argmax(1)
    expected = distances(CLOSE(classifier, points, y), points)
    for const, values in ((1e-2, 9), (1e2, 12)):
        result = CarliniWagner(binary_search_steps=values, initial_const=const)(classifier, points, y)
        torch.testing.assert_close(distances(result, points), expected, rtol=0.05, atol=3e-3)
    hopeless = CarliniWagner(binary_search_steps=2, steps=50, initial_const=1e-4)(classifier, points, y)
    assert hopeless.success.float().mean() < 0.2


def test_images_leave_when_they_make_no_progress(centred, points):
    classifier, w = centred
    y = ((points.flatten(1) - 0.5) @ w.T).argmax(1)
    result = CLOSE(classifier, points, y)
    assert (result.iterations < 5 * 200).all()
    assert len(result.iterations.unique()) > 1
    alone = torch.cat([CLOSE(classifier, points[i : i + 1], y[i : i + 1]).x for i in range(2)])
    torch.testing.assert_close(alone, result.x[:2])  # nobody notices who else leaves


@pytest.mark.parametrize("loss", [1.0, 16.0])
def test_a_flat_cross_entropy_hides_nothing(linear, loss):
    w = torch.tensor([[1.0, 0.0], [0.0, 1.0]]) * 1000 * loss
    x = torch.tensor([[[[0.9, 0.1]]]])
    result = CarliniWagner(binary_search_steps=9)(linear(w), x, torch.tensor([0]))
    assert result.zero_gradient.tolist() == [False]
    assert float(result.l2) == pytest.approx(0.4, rel=0.02)


def test_a_flat_network_is_reported(linear):
    result = CarliniWagner()(linear(torch.zeros(2, 2)), torch.full((1, 1, 1, 2), 0.5), torch.tensor([0]))
    assert result.zero_gradient.tolist() == [True]
    assert not result.success.any()


def test_a_score_is_traded_for_distance(linear):
    """Lead z₁ − z₀ > 0 from (0.6, 0.4, 0.5), score z₂: at least ½d² + … by hand, z₂ moves w/2 down, the rest as without."""
    classifier = linear(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64))
    x = torch.tensor([[[[0.6, 0.4, 0.5]]]], dtype=torch.float64)
    for weight in (0.0, 0.1, 0.4):
        attack = CarliniWagner(binary_search_steps=7, score_weight=weight)
        result = attack(classifier, x, torch.tensor([0]), score=lambda features, classes: features.z[:, 2])
        torch.testing.assert_close(
            result.x.flatten(), torch.tensor([0.5, 0.5, 0.5 - weight / 2], dtype=torch.float64), atol=0.01, rtol=0
        )
    assert bool(result.success)


def test_with_a_score_even_success_is_improved(linear):
    classifier = linear(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    x = torch.tensor([[[[0.3, 0.6, 0.5]]]])  # misclassified
    attack = CarliniWagner(score_weight=0.4)
    result = attack(classifier, x, torch.tensor([0]), score=lambda features, classes: features.z[:, 2])
    torch.testing.assert_close(result.x.flatten(), torch.tensor([0.3, 0.6, 0.3]), atol=0.01, rtol=0)


def test_more_confidence_costs_more(network, images):
    x, _ = images
    classifier = network("softmax")
    y = classifier(x).argmax(1)
    plain, confident = (CarliniWagner(kappa=kappa, steps=60, lr=0.03)(classifier, x, y) for kappa in (0.0, 0.5))
    both = plain.success & confident.success & (confident.l2 > 0)
    assert int(both.sum()) >= 6
    assert (confident.l2[both] > plain.l2[both]).all()


def test_defaults_of_the_paper_are_one_call_away():
    attack = CarliniWagner(lr=0.001, steps=1000, initial_const=1.0, kappa=10.0)
    assert attack.binary_search_steps == 5
    assert math.isinf(attack.max_change)
