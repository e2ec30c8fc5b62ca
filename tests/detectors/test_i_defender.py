"""Gaussian mixtures of hidden features, one a class."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from drumlin.detectors import IDefender, i_defender
from drumlin.features import FeatureRequest

KINDS = {"diagonal": "diag", "full": "full"}


def scaled(train, f):
    """Hidden layers side by side, each unit of variance 1 over the training features."""
    both = [torch.cat([g.hidden["early"], g.hidden["late"]], 1).double().numpy() for g in (train, f)]
    return (both[1] - both[0].mean(0)) / both[0].std(0)


@pytest.mark.parametrize("dimensions", [64, 4])
@pytest.mark.parametrize("covariance", list(KINDS))
def test_scikit_learn_agrees(covariance, dimensions, mixture, sample):
    train, test = sample(mixture, n=300), sample(mixture, n=30, seed=1)
    h, g = scaled(train, train), scaled(train, test)
    if dimensions < 11:
        rotation = PCA(dimensions, svd_solver="full").fit(h)
        h, g = rotation.transform(h), rotation.transform(g)
    size = np.sqrt(h.var(0).mean())
    h, g = h / size, g / size
    detector = IDefender(components=2, covariance=covariance, dimensions=dimensions, seed=4).fit(train)
    for k in range(3):
        own = h[(train.y == k).numpy()]
        theirs = GaussianMixture(2, covariance_type=KINDS[covariance], reg_covar=1e-3, random_state=4).fit(own)
        score = detector.score(test, torch.full((30,), k))
        np.testing.assert_allclose(score, -theirs.score_samples(g), rtol=1e-3, atol=1e-2)


def test_it_is_conditional_on_the_class(mixture, sample):
    detector, test = IDefender(components=1).fit(sample(mixture, n=300)), sample(mixture, n=30, seed=1)
    right, wrong = detector.score(test, test.y), detector.score(test, (test.y + 1) % 3)
    assert bool((wrong > right + 5).all())
    assert torch.equal(detector.score(test), detector.score(test, test.prediction))


def test_the_units_of_a_layer_do_not_matter(mixture, sample):
    def magnified(f):
        return replace(f, hidden=f.hidden | {"early": 1000 * f.hidden["early"]})

    train, test = sample(mixture, n=300), sample(mixture, n=30, seed=1)
    expected = IDefender().fit(train).score(test)
    score = IDefender().fit(magnified(train)).score(magnified(test))
    torch.testing.assert_close(score, expected, rtol=1e-3, atol=1e-2)


def test_a_unit_that_never_varies_is_left_out(mixture, sample):
    def with_constant(f, value):
        constant = torch.full((len(f), 1), value)
        return replace(f, hidden={"early": torch.cat([f.hidden["early"], constant], 1)})

    train, test = sample(mixture, n=300), sample(mixture, n=30, seed=1)
    detector = IDefender().fit(with_constant(train, 2.0))
    score = detector.score(with_constant(test, 2.0))
    assert bool(score.isfinite().all())
    assert torch.equal(score, detector.score(with_constant(test, 3.0)))


def test_a_unit_that_is_silent_for_one_class_does_not_decide_everything(mixture, sample):
    def partly_silent(f, leak):
        unit = torch.where(f.y == 0, leak, 3 + f.z[:, 3])[:, None]
        return replace(f, hidden={"unit": unit, "early": f.hidden["early"]})

    train, test = sample(mixture, n=300), sample(mixture, n=30, seed=1)
    detector = IDefender(components=1).fit(partly_silent(train, 0.0))
    silent, leaking = (detector.score(partly_silent(test, leak), test.y) for leak in (0.0, 0.1))
    assert float((leaking - silent).max()) < 10


def test_layers_and_request(mixture, sample):
    f = sample(mixture, n=300)
    with pytest.raises(ValueError, match=r"'i-defender' takes all hidden layers .* not fitted yet"):
        _ = IDefender().request
    assert IDefender(layers=("late",)).request == FeatureRequest(hidden=("late",))
    assert IDefender().fit(f).request == FeatureRequest(hidden=("early", "late"))
    only = IDefender(layers=("late",)).fit(f)
    assert torch.equal(only.score(replace(f, hidden={"late": f.hidden["late"]})), only.score(f))
    with pytest.raises(ValueError, match=r"needs hidden layer 'late', the features have early: ask feature_set for"):
        only.score(replace(f, hidden={"early": f.hidden["early"]}))
    with pytest.raises(ValueError, match="unknown hidden layer of the training features 'earli': did you mean 'early'"):
        IDefender(layers=("earli",)).fit(f)


def test_a_stratified_seeded_subsample_is_fitted(mixture, sample, monkeypatch):
    train, test = sample(mixture, n=300), sample(mixture, n=30, seed=1)
    whole = IDefender().fit(train).score(test)
    monkeypatch.setattr(i_defender, "_MAX_FEATURES", 90)
    part = IDefender().fit(train).score(test)
    assert not torch.equal(part, whole)
    assert torch.equal(IDefender().fit(train).score(test), part)


def test_a_class_of_too_few_features(mixture, sample):
    f = sample(mixture, n=60)
    y = f.y.clone()
    y[y == 2] = 0
    y[:3] = 2
    IDefender(components=3).fit(replace(f, y=y))
    with pytest.raises(
        ValueError, match="fewer than 4 training features of class 2: detector 'i-defender' needs at least 4"
    ):
        IDefender(components=4).fit(replace(f, y=y))
    y[1:3] = 0
    with pytest.raises(ValueError, match="fewer than 2 training features of class 2"):
        IDefender(components=1).fit(replace(f, y=y))


def test_layers_that_do_not_vary(mixture, sample):
    f = sample(mixture, n=60)
    with pytest.raises(ValueError, match="hidden features of the training samples do not vary at all"):
        IDefender().fit(replace(f, hidden={"dead": torch.zeros(60, 3)}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"components": 0}, "components must be at least 1, got 0"),
        ({"dimensions": 0}, "dimensions must be at least 1, got 0"),
        ({"covariance": "tied"}, "covariance must be one of diagonal, full, got 'tied'"),
        ({"layers": "early"}, "layers must be a tuple"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        IDefender(**arguments)
