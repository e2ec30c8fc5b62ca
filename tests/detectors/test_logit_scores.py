"""MSP, max-logit and energy: values by hand, extremes, and what they are for a mixture head."""

import math

import pytest
import torch

from drumlin.detectors import MSP, ComponentLikelihood, Energy, MaxLogit, MixtureDensity
from drumlin.features import FeatureSet
from drumlin.heads import GaussianMixtureHead


def features(logits, y=None):
    logits = torch.tensor(logits)
    return FeatureSet(torch.zeros(len(logits), 1, dtype=logits.dtype), logits, y)


def score(detector, f, y=None):
    return detector.fit(f).score(f, y)


def test_msp_by_hand():
    f = features([[0.0, math.log(3.0)], [math.log(2.0), 0.0], [0.0, 0.0]])
    torch.testing.assert_close(score(MSP(), f), torch.tensor([1 / 4, 1 / 3, 1 / 2]).log())


def test_msp_conditional_on_a_class():
    f = features([[0.0, math.log(3.0)]])
    torch.testing.assert_close(score(MSP(), f, torch.tensor([0])), torch.tensor([3 / 4]).log())


def test_msp_against_a_slow_float64_reference():
    torch.manual_seed(0)
    logits = torch.randn(50, 7, dtype=torch.float64) * 3
    expected = [
        math.log(sum(math.exp(v) for v in row) - math.exp(max(row))) - math.log(sum(math.exp(v) for v in row))
        for row in logits.tolist()
    ]
    f = FeatureSet(torch.zeros(50, 1).double(), logits)
    torch.testing.assert_close(score(MSP(), f), torch.tensor(expected, dtype=torch.float64))


def test_msp_ranks_where_the_probability_is_exactly_one():
    f = features([[40.0, 0.0], [60.0, 0.0], [1000.0, 0.0]])
    assert f.logits.softmax(1).amax(1).tolist() == [1.0, 1.0, 1.0]
    torch.testing.assert_close(score(MSP(), f), torch.tensor([-40.0, -60.0, -1000.0]))


def test_msp_has_a_gradient_where_the_probability_is_exactly_one():
    logits = torch.tensor([[60.0, 0.0, -5.0]], requires_grad=True)
    f = FeatureSet(torch.zeros(1, 1), logits)
    (gradient,) = torch.autograd.grad(MSP().fit(f).score(f).sum(), logits)
    torch.testing.assert_close(gradient, torch.tensor([[-1.0, 1 / (1 + math.exp(-5)), 1 / (1 + math.exp(5))]]))


def test_max_logit_by_hand():
    f = features([[3.0, 5.0], [-1.0, -2.0]])
    assert score(MaxLogit(), f).tolist() == [-5.0, 1.0]
    assert score(MaxLogit(), f, torch.tensor([0, 1])).tolist() == [-3.0, 2.0]


def test_energy_by_hand_and_without_overflow():
    f = features([[0.0, math.log(3.0)], [500.0, 500.0]])
    torch.testing.assert_close(score(Energy(), f), torch.tensor([-math.log(4.0), -500 - math.log(2.0)]))


def test_energy_does_not_depend_on_the_class():
    f = features([[0.0, 1.0]])
    assert torch.equal(score(Energy(), f, torch.tensor([0])), score(Energy(), f, torch.tensor([1])))


def test_energy_of_a_mixture_head_is_the_mixture_density(mixture, sample):
    f = sample(mixture)
    density = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.tensor([0.5, 0.3, 0.2])),
        torch.distributions.Independent(torch.distributions.Normal(mixture.means, mixture.variances.sqrt()), 1),
    ).log_prob(f.z)
    torch.testing.assert_close(score(Energy(), f), -density.detach())
    torch.testing.assert_close(MixtureDensity().fit(f, head=mixture).score(f), -density.detach())


def test_max_logit_is_the_component_likelihood_at_a_uniform_prior(sample):
    head = GaussianMixtureHead.lgm(4, 3)
    f = sample(head)
    difference = score(MaxLogit(), f) - ComponentLikelihood().fit(f, head=head).score(f)
    constant = 2 * math.log(2 * math.pi) + math.log(3)
    torch.testing.assert_close(difference, torch.full_like(difference, constant))


@pytest.mark.parametrize("kind", [MSP, MaxLogit, Energy])
def test_no_head_is_needed(kind):
    assert kind.requires == frozenset()
