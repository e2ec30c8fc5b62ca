import math

import pytest
import torch
from torch import nn

from drumlin.detectors import ComponentLikelihood, MixtureDensity
from drumlin.detectors.component_likelihood import negative_class_likelihood
from drumlin.features import FeatureSet
from drumlin.heads import (
    CenterHead,
    ContrastiveCenterHead,
    GaussianMixtureHead,
    Head,
    IsotropicHead,
    LSoftmaxHead,
    MaxMahalanobisHead,
    MetricHead,
    ReverseCrossEntropyHead,
    SoftmaxHead,
)


class UnknownHead(Head):
    """A head that nobody registered."""

    def __init__(self):
        super().__init__(4, 3)
        self.weight = nn.Parameter(torch.ones(3, 4))

    def logits(self, z):
        return z @ self.weight.T

    def _terms(self, z, y):
        raise NotImplementedError


def test_value_by_hand_for_a_diagonal_mixture():
    head = GaussianMixtureHead.lgm(2, 2)
    with torch.no_grad():
        head.means.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
        head.log_var.copy_(torch.tensor([[4.0, 0.25], [1.0, 1.0]]).log())
    z = torch.tensor([[3.0, 1.0]])
    f = FeatureSet(z, head.logits(z))
    detector = ComponentLikelihood().fit(f, head=head)
    # ½ (2²/4 + 1²/¼) + ½ log(4 · ¼) = 2.5;  ½ (9 + 1) + 0 = 5
    assert detector.score(f, torch.tensor([0])).item() == pytest.approx(2.5)
    assert detector.score(f, torch.tensor([1])).item() == pytest.approx(5.0)
    assert detector.score(f).item() == pytest.approx(2.5)  # class 0 is the predicted one


def test_slow_loop(mixture, sample):
    f = sample(mixture, n=12)
    y = (torch.arange(12) * 2) % 3
    expected = []
    for z, k in zip(f.z.tolist(), y.tolist(), strict=True):
        total = 0.0
        for d in range(4):
            variance = math.exp(mixture.log_var[k, d].item())
            total += 0.5 * (z[d] - mixture.means[k, d].item()) ** 2 / variance + 0.5 * math.log(variance)
        expected.append(total)
    score = ComponentLikelihood().fit(f, head=mixture).score(f, y)
    torch.testing.assert_close(score, torch.tensor(expected), rtol=1e-5, atol=1e-5)


def test_isotropic_counts_its_variance_once_a_dimension():
    head = GaussianMixtureHead(3, 2, covariance="isotropic", likelihood="component")
    with torch.no_grad():
        head.means.zero_()
        head.log_var.fill_(math.log(4.0))
    z = torch.tensor([[2.0, 0.0, 0.0]])
    f = FeatureSet(z, head.logits(z))
    expected = 0.5 * 4 / 4 + 0.5 * 3 * math.log(4.0)
    assert ComponentLikelihood().fit(f, head=head).score(f).item() == pytest.approx(expected)


def test_softmax_is_the_negative_logit(softmax, sample):
    f = sample(softmax)
    y = (torch.arange(60) * 2) % 3
    score = ComponentLikelihood().fit(f, head=softmax).score(f, y)
    expected = [-(softmax.linear.weight[k] @ z + softmax.linear.bias[k]).item() for z, k in zip(f.z, y, strict=True)]
    torch.testing.assert_close(score, torch.tensor(expected))


@pytest.mark.parametrize(
    "head",
    [
        CenterHead(4, 3),
        CenterHead(4, 3, update="gradient"),
        ContrastiveCenterHead(4, 3),
        MaxMahalanobisHead(4, 3),
        MetricHead(4, 3, softmax_weight=0.0),
    ],
    ids=["center", "center by gradient", "contrastive-center", "max-mahalanobis", "triplet alone"],
)
def test_heads_with_a_point_a_class_score_half_its_squared_distance(head, sample):
    with torch.no_grad():
        head.class_means.copy_(torch.randn(3, 4, generator=torch.Generator().manual_seed(3)))
    f = sample(head, n=9)
    y = torch.arange(9) % 3
    score = ComponentLikelihood().fit(f, head=head).score(f, y)
    expected = [
        0.5 * sum((a - b) ** 2 for a, b in zip(z, head.class_means[k].tolist(), strict=True))
        for z, k in zip(f.z.tolist(), y.tolist(), strict=True)
    ]
    torch.testing.assert_close(score, torch.tensor(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [IsotropicHead, LSoftmaxHead, ReverseCrossEntropyHead, MetricHead])
def test_other_heads_score_the_negative_logit(kind, sample):
    head = kind(4, 3)
    f = sample(head, n=9)
    y = torch.arange(9) % 3
    score = ComponentLikelihood().fit(f, head=head).score(f, y)
    torch.testing.assert_close(score, -f.logits[torch.arange(9), y], rtol=1e-5, atol=1e-6)


def test_small_distances_far_from_the_origin_are_exact():
    head = GaussianMixtureHead.gm(100, 2)
    with torch.no_grad():
        head.means.fill_(100.0)
        head.means[1] += 50
    z = torch.full((1, 100), 100.0)
    z[0, 0] += 0.5
    f = FeatureSet(z, head.logits(z))
    assert ComponentLikelihood().fit(f, head=head).score(f).item() == 0.125


def test_it_follows_the_head_and_does_not_copy_it(mixture, sample):
    f = sample(mixture)
    detector = ComponentLikelihood().fit(f, head=mixture)
    before = detector.score(f)
    with torch.no_grad():
        mixture.means += 1
    assert detector.head_ is mixture
    assert not torch.allclose(detector.score(f), before)


def test_a_subclass_of_a_known_head_works(sample):
    class Special(SoftmaxHead):
        pass

    head = Special(4, 3)
    f = sample(head)
    torch.testing.assert_close(
        ComponentLikelihood().fit(f, head=head).score(f), -f.logits.amax(1), rtol=1e-5, atol=1e-6
    )


def test_unknown_heads_are_refused_with_what_works(sample):
    head = UnknownHead()
    f = sample(head)
    with pytest.raises(ValueError, match=r"'component-likelihood' is not defined for a UnknownHead.*msp, max-logit"):
        ComponentLikelihood().fit(f, head=head)
    with pytest.raises(ValueError, match="no likelihood of a class is known for a UnknownHead"):
        negative_class_likelihood(head, f.z, f.y)


def test_mixture_density_is_refused_for_softmax(softmax, sample):
    with pytest.raises(
        ValueError,
        match="'mixture-density' is not defined for a SoftmaxHead; for it there are: component-likelihood, msp, max-logit,"
        " energy, k-density",
    ):
        MixtureDensity().fit(sample(softmax), head=softmax)
