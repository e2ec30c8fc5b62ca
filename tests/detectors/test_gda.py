"""A Gaussian a class with a covariance of its own."""

import math

import pytest
import torch
from sklearn.covariance import OAS
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from drumlin.detectors import GDA
from drumlin.features import FeatureSet


def unequal(n, seed, width=4):
    """Three classes of different sizes, each with a shape of its own."""
    generator = torch.Generator().manual_seed(seed)
    shapes = torch.randn(3, width, width, generator=torch.Generator().manual_seed(99))
    y = torch.cat([torch.arange(3).repeat(2), (torch.rand(n - 6, generator=generator) ** 2 * 3).long()])
    z = 4 * torch.eye(3, width)[y] + (torch.randn(n, 1, width, generator=generator) @ shapes[y]).squeeze(1)
    return FeatureSet(z, torch.zeros(n, 3), y)


def density(train, covariances):
    counts = torch.bincount(train.y, minlength=3)
    means = torch.stack([train.z[train.y == k].double().mean(0) for k in range(3)])
    return MixtureSameFamily(Categorical(counts / len(train)), MultivariateNormal(means, torch.stack(covariances)))


def covariance_of(z):
    return torch.cov(z.double().T, correction=0)


def test_density_of_the_mixture():
    train, test = unequal(200, 0), unequal(40, 1)
    expected = density(train, [covariance_of(train.z[train.y == k]) for k in range(3)]).log_prob(test.z.double())
    score = GDA(shrinkage=0.0).fit(train).score(test)
    torch.testing.assert_close(score.double(), -expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("n", [12, 60, 600])
def test_each_class_is_shrunk_as_scikit_learn_does(n):
    train, test = unequal(n, 0), unequal(40, 1)
    oracles = [OAS().fit(train.z[train.y == k].double().numpy()) for k in range(3)]
    expected = density(train, [torch.from_numpy(oracle.covariance_) for oracle in oracles]).log_prob(test.z.double())
    detector = GDA().fit(train)
    torch.testing.assert_close(detector.score(test).double(), -expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(detector.shrinkages_, torch.tensor([oracle.shrinkage_ for oracle in oracles]).float())


def test_shrinkage_goes_away_with_more_features():
    few, many = GDA().fit(unequal(30, 0)).shrinkages_, GDA().fit(unequal(20_000, 0)).shrinkages_
    assert bool((few > many).all())
    assert bool((many < 0.01).all())


def test_given_shrinkage_is_towards_the_mean_variance():
    train, test = unequal(200, 0), unequal(40, 1)

    def shrunk(k):
        covariance = covariance_of(train.z[train.y == k])
        return 0.7 * covariance + 0.3 * covariance.trace() / 4 * torch.eye(4)

    expected = density(train, [shrunk(k) for k in range(3)]).log_prob(test.z.double())
    score = GDA(shrinkage=0.3).fit(train).score(test)
    torch.testing.assert_close(score.double(), -expected, rtol=1e-4, atol=1e-3)


def test_classes_are_told_apart_as_by_quadratic_discriminants():
    """Another parametrisation of the same densities, up to n or n − 1."""
    train, test = unequal(20_000, 0), unequal(40, 1)
    theirs = QuadraticDiscriminantAnalysis().fit(train.z.double().numpy(), train.y.numpy())
    joint = theirs.decision_function(test.z.double().numpy())  # up to (D/2) log 2π
    expected = -torch.from_numpy(joint).logsumexp(1) + 2 * math.log(2 * math.pi)
    torch.testing.assert_close(GDA(shrinkage=0.0).fit(train).score(test).double(), expected, rtol=1e-2, atol=2e-2)


def test_the_class_is_not_looked_at():
    detector, test = GDA().fit(unequal(60, 0)), unequal(9, 1)
    assert torch.equal(detector.score(test, torch.zeros(9, dtype=torch.int64)), detector.score(test))


def test_a_class_of_fewer_features_than_dimensions_is_shrunk_to_a_regular_covariance():
    train = unequal(40, 0, width=30)
    detector = GDA().fit(train)
    assert bool((torch.bincount(train.y) < 30).all())
    assert bool((detector.shrinkages_ > 0).all())
    assert bool(detector.score(unequal(40, 1, width=30)).isfinite().all())
    with pytest.raises(
        ValueError, match=r"training features of class 0 is singular in 30 dimensions: give more of them"
    ):
        GDA(shrinkage=0.0).fit(train)


def test_a_unit_that_is_off_for_one_class_alone():
    train = unequal(300, 0)
    z = train.z.clone()
    z[train.y == 1, 3] = 0.0
    f = FeatureSet(z, train.logits, train.y)
    assert bool(GDA().fit(f).score(f).isfinite().all())
    with pytest.raises(ValueError, match="training features of class 1 is singular"):
        GDA(shrinkage=0.0).fit(f)


def test_classes_of_one_feature_or_none():
    f = unequal(60, 0)
    y = torch.zeros(60, dtype=torch.int64)
    y[:2], y[2] = 1, 2
    with pytest.raises(ValueError, match="fewer than 2 training features of class 2: detector 'gda' needs at least 2"):
        GDA().fit(FeatureSet(f.z, f.logits, y))
    with pytest.raises(ValueError, match="no training features of class 2"):
        GDA().fit(FeatureSet(f.z, f.logits, y.clamp_max(1)))


def test_a_class_whose_features_coincide():
    f = unequal(60, 0)
    z = f.z.clone()
    z[f.y == 1] = 3.0
    with pytest.raises(ValueError, match="training features of class 1 all coincide: detector 'gda' needs a spread"):
        GDA().fit(FeatureSet(z, f.logits, f.y))


@pytest.mark.parametrize("shrinkage", [-0.1, 1.1, math.nan])
def test_shrinkage_out_of_range(shrinkage):
    with pytest.raises(ValueError, match=r"shrinkage must lie in \[0, 1\], or be None"):
        GDA(shrinkage=shrinkage)
