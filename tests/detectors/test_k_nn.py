"""Distance to the k-th nearest training feature."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional as F

from drumlin.detectors import KNN, k_nn, load_detector
from drumlin.detectors.k_nn import kth_nearest
from drumlin.features import FeatureSet
from drumlin.functional import distances


def drawn(n, seed, width=6):
    z = torch.randn(n, width, generator=torch.Generator().manual_seed(seed)) + 0.5
    return FeatureSet(z, torch.zeros(n, 3), torch.arange(n) % 3)


@pytest.mark.parametrize("k", [1, 4, 80])
def test_scikit_learn_agrees(k):
    train, test = drawn(80, 0), drawn(30, 1)
    theirs = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(F.normalize(train.z).double().numpy())
    expected = theirs.kneighbors(F.normalize(test.z).double().numpy())[0][:, -1]
    np.testing.assert_allclose(KNN(k=k).fit(train).score(test), expected, rtol=1e-5)


@pytest.mark.parametrize("k", [1, 5, 17])
def test_pieces_change_nothing(k, monkeypatch):
    train, test = drawn(80, 0), drawn(30, 1)
    whole = KNN(k=k).fit(train).score(test)
    monkeypatch.setattr(distances, "_CHUNK", 7)
    monkeypatch.setattr(k_nn, "_QUERIES", 4)
    torch.testing.assert_close(KNN(k=k).fit(train).score(test), whole, rtol=1e-6, atol=1e-6)


def test_neighbours_of_any_length():
    """Not only of length 1: the search is about distances, not angles."""
    x = torch.tensor([[100.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert kth_nearest(torch.tensor([[1.0, 0.5]]), x, 1).tolist() == [1]
    assert kth_nearest(torch.tensor([[1.0, 0.5]]), x, 2).tolist() == [2]
    assert kth_nearest(torch.tensor([[1.0, 0.5]]), x, 3).tolist() == [0]


def test_length_does_not_matter():
    train, test = drawn(80, 0), drawn(9, 1)
    score = KNN(k=3).fit(train).score(test)
    longer = FeatureSet(test.z * torch.logspace(-3, 3, 9)[:, None], test.logits)
    torch.testing.assert_close(KNN(k=3).fit(train).score(longer), score, rtol=1e-4, atol=1e-6)


def test_a_duplicate_has_distance_and_gradient_zero():
    train = drawn(80, 0)
    z = train.z[:5].clone().requires_grad_()
    score = KNN(k=1).fit(train).score(FeatureSet(z, train.logits[:5]))
    assert score.tolist() == [0.0] * 5
    (gradient,) = torch.autograd.grad(score.sum(), z)
    assert bool((gradient == 0).all())


def test_a_feature_of_length_zero_is_at_distance_one():
    train = drawn(20, 0)
    nothing = FeatureSet(torch.zeros(1, 6), torch.zeros(1, 3))
    torch.testing.assert_close(KNN(k=3).fit(train).score(nothing), torch.ones(1))
    zeros = FeatureSet(torch.cat([torch.zeros(2, 6), train.z]), torch.zeros(22, 3), torch.arange(22) % 3)
    assert KNN(k=2).fit(zeros).score(nothing).tolist() == [0.0]
    score = KNN(k=22).fit(zeros).score(drawn(4, 1))
    assert bool((score.isfinite() & (score <= 2)).all())


def test_more_neighbours_than_features():
    KNN(k=20).fit(drawn(20, 0))
    with pytest.raises(ValueError, match="k must be at most the 20 training features that are kept, got 21"):
        KNN(k=21).fit(drawn(20, 0))


def test_k_counts_what_is_kept(monkeypatch):
    monkeypatch.setattr(k_nn, "_MAX_FEATURES", 30)
    with pytest.raises(ValueError, match="at most the 30 training features that are kept, got 31"):
        KNN(k=31).fit(drawn(90, 0))


def test_a_stratified_seeded_subsample_is_kept(monkeypatch):
    monkeypatch.setattr(k_nn, "_MAX_FEATURES", 30)
    f = drawn(90, 0)
    kept = KNN(k=1).fit(f).features_
    own = [{tuple(z) for z in F.normalize(f.z[f.y == k]).tolist()} for k in range(3)]
    assert [sum(tuple(z) in some for z in kept.tolist()) for some in own] == [10, 10, 10]
    assert torch.equal(KNN(k=1).fit(f).features_, kept)
    assert not torch.equal(KNN(k=1, seed=1).fit(f).features_, kept)
    unlabelled = FeatureSet(f.z, f.logits)
    assert KNN(k=1).fit(unlabelled).features_.shape == (30, 6)


@pytest.mark.parametrize("k", [0, -3])
def test_k_out_of_range(k):
    with pytest.raises(ValueError, match=f"k must be at least 1, got {k}"):
        KNN(k=k)


def test_by_default_the_fiftieth_or_the_farthest_of_fewer(tmp_path):
    assert KNN().fit(drawn(90, 0)).k_ == 50
    few = KNN().fit(drawn(20, 0))
    test = drawn(5, 1)
    assert torch.equal(few.score(test), KNN(k=20).fit(drawn(20, 0)).score(test))
    few.save(tmp_path)
    assert torch.equal(load_detector(tmp_path).score(test), few.score(test))
