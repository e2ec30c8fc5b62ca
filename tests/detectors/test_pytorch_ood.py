"""The same ranks as pytorch-ood's detectors, where it has the same one."""

import pytest
import torch
from pytorch_ood import detector as theirs
from scipy.stats import spearmanr

from drumlin.detectors import KNN, Energy, Mahalanobis, ViM
from drumlin.features import FeatureSet
from drumlin.heads import SoftmaxHead


@pytest.fixture(scope="module")
def problem():
    """Five classes in 32 dimensions, a linear layer at their means, and test samples from near to far."""
    generator = torch.Generator().manual_seed(0)
    means = 4 * torch.randn(5, 32, generator=generator)
    mix = torch.randn(32, 32, generator=generator) / 4
    head = SoftmaxHead(32, 5).eval()
    with torch.no_grad():
        head.linear.weight.copy_(means / 16)
        head.linear.bias.copy_(torch.randn(5, generator=generator))

    def draw(n, spread):
        y = torch.arange(n) % 5
        z = means[y] + torch.randn(n, 32, generator=generator) @ mix * spread
        return FeatureSet(z, head.logits(z).detach(), y)

    return head, draw(400, 1.0), draw(150, torch.linspace(0.5, 4, 150)[:, None])


def assert_same_ranks(ours, other):
    assert spearmanr(ours, other).statistic > 0.999999


@pytest.fixture
def in_float64():
    """Let what others create be float64, so that two neighbouring samples are not swapped by the rounding of an inverse."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(default)


def test_mahalanobis(problem, in_float64):
    _, train, test = problem
    other = theirs.Mahalanobis(None).fit_features(train.z.double(), train.y).predict_features(test.z.double())
    assert other.dtype == torch.float64
    ours = Mahalanobis().fit(train).score(test)
    assert_same_ranks(ours, other)
    # Theirs is half of the square, by a scatter that is not divided by N.
    torch.testing.assert_close(ours.double(), 2 * len(train) * other, rtol=1e-2, atol=1e-2)


def test_k_nn(problem):
    _, train, test = problem
    other = theirs.KNN(None, k=50).fit_features(train.z, train.y).predict_features(test.z)
    ours = KNN(k=50).fit(train).score(test)
    assert_same_ranks(ours, other)
    torch.testing.assert_close(ours, other.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dimension", [4, 16])
def test_vim(problem, dimension):
    head, train, test = problem
    weight, bias = head.linear.weight.detach(), head.linear.bias.detach()
    other = theirs.ViM(None, d=dimension, w=weight, b=bias).fit_features(train.z, train.y).predict_features(test.z)
    ours = ViM(dimension=dimension).fit(train, head=head).score(test)
    assert_same_ranks(ours, other)
    torch.testing.assert_close(ours, other, rtol=1e-3, atol=1e-3)


def test_energy(problem):
    _, train, test = problem
    assert_same_ranks(Energy().fit(train).score(test), theirs.EnergyBased.score(test.logits))
