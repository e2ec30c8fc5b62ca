"""Mahalanobis and relative Mahalanobis distance."""

import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance

from drumlin.detectors import Mahalanobis, RelativeMahalanobis, _gaussians
from drumlin.features import FeatureSet

BOTH = pytest.mark.parametrize("kind", [Mahalanobis, RelativeMahalanobis])


def change(f, z):
    return FeatureSet(z, f.logits, f.y)


def correlated(n, seed, classes=3, width=5):
    """Unequal classes whose features are correlated."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=torch.Generator().manual_seed(99))
    y = (torch.rand(n, generator=generator) ** 2 * classes).long()
    means = 3 * torch.randn(classes, width, generator=torch.Generator().manual_seed(98))
    z = means[y] + torch.randn(n, width, generator=generator) @ mix
    return FeatureSet(z, torch.zeros(n, classes), y)


def loop(f, z):
    """The definition, class by class and sample by sample, in float64."""
    x, y = f.z.double(), f.y
    means = [x[y == k].mean(0) for k in range(3)]
    covariance = sum(torch.outer(a - means[k], a - means[k]) for a, k in zip(x, y.tolist(), strict=True)) / len(x)
    precision = covariance.inverse()
    return torch.tensor([min(float((a - m) @ precision @ (a - m)) for m in means) for a in z.double()])


def test_slow_loop():
    train, test = correlated(60, 0), correlated(12, 1)
    torch.testing.assert_close(Mahalanobis().fit(train).score(test), loop(train, test.z), rtol=1e-4, atol=1e-4)


def test_scikit_learn_agrees():
    train, test = correlated(200, 0), correlated(40, 1)
    x, z = train.z.double().numpy(), test.z.double().numpy()
    means = np.stack([x[train.y == k].mean(0) for k in range(3)])
    pooled = EmpiricalCovariance(assume_centered=True).fit(x - means[train.y])
    nearest = np.min([pooled.mahalanobis(z - mean) for mean in means], 0)
    np.testing.assert_allclose(Mahalanobis().fit(train).score(test), nearest, rtol=1e-4)
    background = EmpiricalCovariance().fit(x).mahalanobis(z)
    np.testing.assert_allclose(RelativeMahalanobis().fit(train).score(test), nearest - background, rtol=1e-3, atol=1e-4)


@BOTH
def test_the_covariance_is_divided_by_the_number_of_samples(kind):
    train, test = correlated(30, 0), correlated(9, 1)
    doubled = train.subset(torch.arange(30).repeat(2))
    torch.testing.assert_close(kind().fit(doubled).score(test), kind().fit(train).score(test), rtol=1e-4, atol=1e-4)


@BOTH
def test_units_and_directions_of_features_do_not_matter(kind):
    train, test = correlated(60, 0), correlated(12, 1)
    mix = torch.randn(5, 5, generator=torch.Generator().manual_seed(3))
    moved = kind().fit(change(train, train.z @ mix + 5)).score(change(test, test.z @ mix + 5))
    torch.testing.assert_close(moved, kind().fit(train).score(test), rtol=1e-3, atol=1e-3)


@BOTH
def test_the_class_is_not_looked_at(kind):
    train, test = correlated(60, 0), correlated(12, 1)
    detector = kind().fit(train)
    for k in range(3):
        assert torch.equal(detector.score(test, torch.full((12,), k)), detector.score(test))


def test_relative_distance_forgives_what_all_data_vary_in():
    """A direction without classes in it: both distances grow alike there, and their difference does not."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(3000) % 2
    z = torch.randn(3000, 2, generator=generator) + torch.stack([10.0 * y, torch.zeros(3000)], 1)
    train = FeatureSet(z, torch.zeros(3000, 2), y)
    along = FeatureSet(torch.tensor([[0.0, 0.0], [0.0, 8.0]]), torch.zeros(2, 2))
    plain, relative = Mahalanobis().fit(train).score(along), RelativeMahalanobis().fit(train).score(along)
    assert plain[1] - plain[0] > 50
    assert abs(relative[1] - relative[0]) < 5


@BOTH
def test_pieces_change_nothing(kind, monkeypatch):
    train, test = correlated(60, 0), correlated(12, 1)
    whole = kind().fit(train).score(test)
    monkeypatch.setattr(_gaussians, "CHUNK", 7)
    torch.testing.assert_close(kind().fit(train).score(test), whole, rtol=1e-5, atol=1e-5)


@BOTH
def test_float32_is_accurate_for_unequal_variances_far_from_the_origin(kind):
    scale = torch.tensor([1.0, 1e-1, 1e-2, 1e-3, 1.0])

    def wide(f, dtype):
        z = (
            f.z @ torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(4)))[0] * scale + 10
        ).float()
        return FeatureSet(z.to(dtype), f.logits.to(dtype), f.y)

    train, test = correlated(500, 0), correlated(50, 1)
    exact = kind().fit(wide(train, torch.float64)).score(wide(test, torch.float64))
    score = kind().fit(wide(train, torch.float32)).score(wide(test, torch.float32))
    torch.testing.assert_close(score.double(), exact, rtol=2e-3, atol=2e-3)


def test_a_unit_that_was_always_off_is_seen_when_it_turns_on():
    train, test = correlated(60, 0), correlated(12, 1)
    off = torch.zeros(60, 1)
    detector = Mahalanobis().fit(change(train, torch.cat([train.z, off], 1)))
    same = detector.score(change(test, torch.cat([test.z, off[:12]], 1)))
    torch.testing.assert_close(same, Mahalanobis().fit(train).score(test), rtol=1e-3, atol=1e-3)
    on = detector.score(change(test, torch.cat([test.z, off[:12] + 0.1], 1)))
    assert bool(on.isfinite().all())
    assert bool((on > same + 1e3).all())


@BOTH
def test_a_class_without_training_features_is_named(kind):
    f = correlated(60, 0, classes=2)
    with pytest.raises(ValueError, match=r"no training features of class 2: .*at least 1 of each of the 3 classes"):
        kind().fit(FeatureSet(f.z, torch.zeros(60, 3), f.y))


@BOTH
def test_features_that_do_not_vary_within_classes(kind):
    y = torch.arange(6) % 3
    with pytest.raises(ValueError, match="the features have no spread at all: they all coincide"):
        kind().fit(FeatureSet(torch.eye(3)[y], torch.zeros(6, 3), y))
