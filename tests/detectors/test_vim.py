"""Virtual-logit matching."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch import nn

from drumlin.detectors import ViM
from drumlin.detectors.vim import linear_form
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

LINEAR = [
    SoftmaxHead(4, 3),
    SoftmaxHead(4, 3, bias=False),
    CenterHead(4, 3),
    ContrastiveCenterHead(4, 3),
    IsotropicHead(4, 3),
    LSoftmaxHead(4, 3),
    ReverseCrossEntropyHead(4, 3),
    MetricHead(4, 3),
    MetricHead(4, 3, softmax_weight=0.0),
    MaxMahalanobisHead(4, 3),
    GaussianMixtureHead(4, 3),
    GaussianMixtureHead(4, 3, prior=torch.tensor([0.5, 0.3, 0.2])),
    GaussianMixtureHead(4, 3, prior="learned"),
]


def reference(z_train, z, weight, bias, dimension):
    """As in the authors' code: numpy, float64, sorted eigenvalues."""
    z_train, z, weight, bias = (np.asarray(part, dtype=np.float64) for part in (z_train, z, weight, bias))
    origin = -np.linalg.pinv(weight) @ bias
    values, vectors = np.linalg.eigh((z_train - origin).T @ (z_train - origin) / len(z_train))
    null = vectors[:, np.argsort(-values)[dimension:]]
    norms = np.linalg.norm((z_train - origin) @ null, axis=1)
    alpha = (z_train @ weight.T + bias).max(1).mean() / norms.mean()
    return alpha * np.linalg.norm((z - origin) @ null, axis=1) - logsumexp(z @ weight.T + bias, axis=1)


@pytest.fixture
def trained(softmax):
    """A linear layer that knows the three classes."""
    with torch.no_grad():
        softmax.linear.weight.copy_(torch.eye(3, 4) * 2)
        softmax.linear.bias.copy_(torch.tensor([-1.0, 0.5, -2.0]))
    return softmax


@pytest.mark.parametrize("dimension", [None, 0, 3])
def test_authors_formula(trained, sample, strange, dimension):
    train, test = sample(trained), strange(trained)
    weight, bias = linear_form(trained)
    expected = reference(train.z, test.z, weight, bias, 2 if dimension is None else dimension)
    score = ViM(dimension=dimension).fit(train, head=trained).score(test)
    np.testing.assert_allclose(score, expected, rtol=1e-4, atol=1e-4)


def test_a_mixture_with_identity_is_the_linear_layer_of_its_means(identity, trained, sample, strange):
    identity = GaussianMixtureHead.gm(4, 3).eval()
    with torch.no_grad():
        identity.means.copy_(torch.eye(3, 4) * 6 + 1)
        trained.linear.weight.copy_(identity.means)
        trained.linear.bias.copy_(-0.5 * identity.means.square().sum(1))
    expected = ViM().fit(sample(trained), head=trained).score(strange(trained))
    torch.testing.assert_close(ViM().fit(sample(identity), head=identity).score(strange(identity)), expected)


@pytest.mark.parametrize("head", LINEAR, ids=lambda head: type(head).__name__)
def test_linear_forms_have_the_heads_posterior(head):
    z = 3 * torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    if isinstance(head, MetricHead) and head.means is not None:
        head.means.copy_(torch.randn(3, 4))
    assert ViM.supports(head)
    weight, bias = linear_form(head)
    posterior = torch.softmax(z @ weight.T + bias, 1)
    torch.testing.assert_close(posterior, head.logits(z).softmax(1), rtol=1e-4, atol=1e-5)
    assert not weight.requires_grad
    assert not bias.requires_grad


def test_a_uniform_prior_given_is_as_none():
    head = GaussianMixtureHead(4, 3, prior=torch.full((3,), 1 / 3))
    plain = GaussianMixtureHead(4, 3)
    plain.means = head.means
    torch.testing.assert_close(linear_form(head), linear_form(plain))


class Curved(Head):
    """Nothing linear about it."""

    def logits(self, z):
        return z[:, :3].square()

    def _terms(self, z, y):
        raise NotImplementedError


@pytest.mark.parametrize(
    "head",
    [GaussianMixtureHead.lgm(4, 3), GaussianMixtureHead(4, 3, covariance="isotropic"), Curved(4, 3)],
    ids=["diagonal", "isotropic", "unknown"],
)
def test_heads_without_linear_form_are_refused(head, sample, softmax):
    assert not ViM.supports(head)
    with pytest.raises(ValueError, match=r"'vim' is not defined for a (GaussianMixtureHead|Curved); for it there are"):
        ViM().fit(sample(softmax), head=head)


def test_the_class_is_not_looked_at(trained, sample):
    detector, f = ViM().fit(sample(trained), head=trained), sample(trained, n=9, seed=1)
    assert torch.equal(detector.score(f, torch.zeros(9, dtype=torch.int64)), detector.score(f))


def test_features_within_the_principal_space_leave_alpha_finite(trained, sample):
    f = sample(trained)
    flat = FeatureSet(f.z * torch.tensor([1.0, 1.0, 0.0, 0.0]), f.logits, f.y)
    with torch.no_grad():
        trained.linear.bias.zero_()
    detector = ViM().fit(flat, head=trained)
    assert math.isfinite(detector.alpha_)
    z = torch.tensor([[6.0, 0, 0, 0], [6.0, 0, 0, 1]], requires_grad=True)
    score = detector.score(FeatureSet(z, f.logits[:2]))
    (gradient,) = torch.autograd.grad(score.sum(), z)
    assert score[1] > score[0] + 1e3
    assert bool(gradient.isfinite().all())  # the first has no residual at all


def test_dimension_out_of_range(trained, sample):
    with pytest.raises(
        ValueError, match="dimension must be at least 0, or None to choose it by the features' width, got -1"
    ):
        ViM(dimension=-1)
    with pytest.raises(ValueError, match=r"dimension must be below the 4 of the features.*got 4"):
        ViM(dimension=4).fit(sample(trained), head=trained)


def test_logits_that_are_not_above_zero(trained, sample):
    with torch.no_grad():
        trained.linear.bias.fill_(-100.0)
    with pytest.raises(ValueError, match=r"largest logit is -8\d.* in the mean: .* must be above 0"):
        ViM().fit(sample(trained), head=trained)


def test_features_that_all_lie_at_the_origin(trained):
    with torch.no_grad():
        trained.linear.weight.zero_()
        trained.linear.bias.fill_(1.0)
    with pytest.raises(ValueError, match="all lie at the origin of detector 'vim'"):
        ViM().fit(FeatureSet(torch.zeros(5, 4), torch.zeros(5, 3)), head=trained)
