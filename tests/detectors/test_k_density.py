import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import KernelDensity

from drumlin.detectors import KDensity, k_density
from drumlin.detectors.k_density import choose_bandwidth
from drumlin.features import FeatureSet


def reference(z, x, bandwidth):
    """The formula in loops and float64; σ = √2 × bandwidth."""
    variance = 2 * bandwidth**2
    scores = []
    for a in z.double():
        exponents = [-float((a - b).square().sum()) / variance for b in x.double()]
        top = max(exponents)
        scores.append(-(top + math.log(sum(math.exp(e - top) for e in exponents) / len(x))))
    return torch.tensor(scores)


@pytest.mark.parametrize("bandwidth", [0.3, 1.0, 5.0])
def test_slow_loop_conditional_on_each_class(mixture, sample, bandwidth):
    train, test = sample(mixture, n=45), sample(mixture, n=12, seed=1)
    detector = KDensity(bandwidth=bandwidth).fit(train)
    for k in range(3):
        y = torch.full((12,), k)
        expected = reference(test.z, train.z[train.y == k], bandwidth)
        torch.testing.assert_close(detector.score(test, y), expected.float(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("bandwidth", [0.5, 2.0])
def test_scikit_learn_agrees_up_to_the_constant_of_its_normalisation(mixture, sample, bandwidth):
    train, test = sample(mixture, n=300), sample(mixture, n=30, seed=1)
    # One leaf: over several, scikit-learn 1.9 prunes what it should not, and is off by up to 10 nats in the tails.
    theirs = KernelDensity(bandwidth=bandwidth, leaf_size=1000).fit(train.z[train.y == 2].double().numpy())
    constant = 4 * math.log(bandwidth * math.sqrt(2 * math.pi))
    expected = -theirs.score_samples(test.z.double().numpy()) - constant
    ours = KDensity(bandwidth=bandwidth).fit(train).score(test, torch.full((30,), 2))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-3)


def test_the_class_of_training_features_is_their_label_not_their_prediction(softmax):
    z = torch.tensor([[0.0] * 4, [1.0] * 4, [2.0] * 4])
    wrong = torch.tensor([[0.0, 0.0, 9.0]] * 3)  # everything is predicted to be class 2
    detector = KDensity(bandwidth=1.0).fit(FeatureSet(z, wrong, torch.tensor([0, 1, 2])))
    score = detector.score(FeatureSet(z[:1], wrong[:1]), torch.tensor([0]))
    assert score.item() == 0.0  # at the only training feature of class 0
    assert detector.score(FeatureSet(z[:1], wrong[:1])).item() == pytest.approx(8.0)  # ‖(2,2,2,2)‖²/2, of class 2


def test_chunks_change_nothing(mixture, sample, monkeypatch):
    train, test = sample(mixture, n=90), sample(mixture, n=9, seed=1)
    whole = KDensity(bandwidth=0.7).fit(train).score(test)
    monkeypatch.setattr(k_density, "_CHUNK", 7)
    torch.testing.assert_close(KDensity(bandwidth=0.7).fit(train).score(test), whole, rtol=1e-5, atol=1e-5)


def test_an_offset_costs_no_accuracy(mixture, sample):
    train, test = sample(mixture, n=60), sample(mixture, n=9, seed=1)
    expected = KDensity(bandwidth=1.0).fit(train).score(test)

    def shifted(f):
        return FeatureSet(f.z + 128, f.logits, f.y)

    score = KDensity(bandwidth=1.0).fit(shifted(train)).score(shifted(test))
    torch.testing.assert_close(score, expected, rtol=1e-3, atol=1e-3)  # the features themselves were rounded to 1.5e-5


def test_gradient_against_finite_differences(mixture, sample):
    train = sample(mixture, n=30)
    train = FeatureSet(train.z.double(), train.logits.double(), train.y)
    detector = KDensity(bandwidth=1.5).fit(train)
    z = (train.z[:4] + 0.5).requires_grad_()
    y = torch.tensor([0, 1, 2, 0])
    assert torch.autograd.gradcheck(lambda z: detector.score(FeatureSet(z, train.logits[:4]), y), z)


def test_far_away_there_are_no_ties_and_gradients_point_outwards(mixture, sample):
    train = sample(mixture, n=30)
    detector = KDensity(bandwidth=0.5).fit(train)
    distance = torch.tensor([[1e4], [1.1e4], [1.2e4]])
    z = (distance * torch.tensor([1.0, 0, 0, 0])).requires_grad_()
    score = detector.score(FeatureSet(z, mixture.logits(z)), torch.zeros(3, dtype=torch.int64))
    assert bool(score.isfinite().all())
    assert bool((score.diff() > 0).all())
    (gradient,) = torch.autograd.grad(score.sum(), z)
    assert bool(gradient.isfinite().all())
    torch.testing.assert_close(gradient[:, 0], distance[:, 0].detach() / 0.25, rtol=1e-2, atol=0)


def test_bandwidth_is_the_most_likely_by_leaving_one_out():
    torch.manual_seed(0)
    groups = [torch.randn(25, 2) * 1.5, torch.randn(15, 2) + 5]
    spread = math.sqrt(float(sum((g - g.mean(0)).square().sum() for g in groups)) / (38 * 2))
    grid = [spread * 2 ** (step / 4) for step in range(-16, 9)]

    def likelihood(h):
        total = 0.0
        for group in groups:
            for i in range(len(group)):
                others = torch.cat([group[:i], group[i + 1 :]]).double().numpy()
                total += KernelDensity(bandwidth=h).fit(others).score(group[i : i + 1].double().numpy())
        return total

    chosen = choose_bandwidth(torch.cat(groups), torch.tensor([0] * 25 + [1] * 15))
    assert chosen == pytest.approx(max(grid, key=likelihood), rel=1e-6)
    assert grid[2] < chosen < grid[-3]  # inside the grid, so this says something


def test_bandwidth_follows_the_scale_of_features(mixture, sample):
    f = sample(mixture, n=90)
    one = KDensity().fit(f)
    ten = KDensity().fit(FeatureSet(f.z * 10, f.logits, f.y))
    assert ten.bandwidth_ == pytest.approx(10 * one.bandwidth_, rel=1e-5)
    assert one.bandwidth is None  # as given


def test_bandwidth_is_the_same_every_time_and_does_not_touch_the_global_generator(mixture, sample, monkeypatch):
    monkeypatch.setattr(k_density, "_MAX_FEATURES_FOR_BANDWIDTH", 30)
    f = sample(mixture, n=90)
    state = torch.get_rng_state()
    assert KDensity().fit(f).bandwidth_ == KDensity().fit(f).bandwidth_
    assert torch.equal(torch.get_rng_state(), state)


def test_a_stratified_seeded_subsample_is_kept(mixture, sample, monkeypatch):
    monkeypatch.setattr(k_density, "_MAX_FEATURES", 31)
    f = sample(mixture, n=90)
    y = torch.zeros(90, dtype=torch.int64)
    y[:30] = 1
    y[30] = 2  # a class of one must not get lost
    f = FeatureSet(f.z, f.logits, y)
    kept = KDensity(bandwidth=1.0).fit(f)
    assert int(kept.counts_.sum()) == len(kept.features_) == 31
    assert kept.counts_[2] == 1
    assert abs(int(kept.counts_[0]) - 20) <= 1  # of 59, 30 and 1
    own = [{tuple(z) for z in f.z[y == k].tolist()} for k in range(3)]
    for k, part in enumerate(torch.split(kept.features_, kept.counts_.tolist())):
        assert {tuple(z) for z in part.tolist()} <= own[k]
    assert torch.equal(kept.features_, KDensity(bandwidth=1.0).fit(f).features_)
    assert not torch.equal(kept.features_, KDensity(bandwidth=1.0, seed=1).fit(f).features_)


def test_later_changes_of_the_training_features_do_not_reach_it(mixture, sample):
    f = sample(mixture)
    detector = KDensity(bandwidth=1.0).fit(f)
    before = detector.score(f)
    copy = FeatureSet(f.z.clone(), f.logits, f.y)
    f.z.zero_()
    torch.testing.assert_close(detector.score(copy), before)


def test_a_class_without_training_features_is_named(mixture, sample):
    f = sample(mixture)
    y = f.y.clone()
    y[y == 1] = 0
    with pytest.raises(ValueError, match=r"no training features of class 1: .* each of the 3 classes"):
        KDensity().fit(FeatureSet(f.z, f.logits, y))


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, math.inf, math.nan])
def test_bandwidth_out_of_range(bandwidth):
    with pytest.raises(ValueError, match="bandwidth must be above 0, or None"):
        KDensity(bandwidth=bandwidth)


def test_no_bandwidth_from_features_that_coincide(mixture, sample):
    f = sample(mixture)
    with pytest.raises(ValueError, match=r"no bandwidth can be chosen.*give a bandwidth"):
        KDensity().fit(FeatureSet(torch.zeros_like(f.z), f.logits, f.y))
    f = f.subset(torch.arange(3))  # one a class
    with pytest.raises(ValueError, match="no bandwidth can be chosen"):
        KDensity().fit(f)
