"""Local intrinsic dimensionality."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from drumlin.detectors import LID
from drumlin.detectors.lid import local_dimensionality
from drumlin.features import FeatureRequest


def loop(z, reference, k):
    """The definition in loops and float64; coinciding reference samples are left out before."""
    found = []
    for a in z.double():
        distances = sorted(float((a - b).norm()) for b in reference.double())
        nearest = [r for r in distances if r > 0][:k]
        found.append(-1 / (sum(math.log(r / nearest[-1]) for r in nearest) / len(nearest)))
    return torch.tensor(found)


def randn(n, width, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def fit(mixture, sample, strange):
    def fitted(detector, **changes):
        parts = {"normals": sample(mixture, n=40, seed=11), "anomalies": strange(mixture, n=40, seed=12)}
        return detector.fit(sample(mixture, n=120), **(parts | changes))

    return fitted


@pytest.mark.parametrize("k", [2, 7, 30])
def test_slow_loop(k):
    z, reference = randn(9, 5), randn(30, 5, 1)
    torch.testing.assert_close(local_dimensionality(z, reference, k), loop(z, reference, k).float(), rtol=1e-4, atol=0)


def test_coinciding_reference_samples_do_not_count():
    reference = randn(30, 5, 1)
    z = reference[:6].clone()
    torch.testing.assert_close(local_dimensionality(z, reference, 7), loop(z, reference, 7).float(), rtol=1e-4, atol=0)
    nearly = local_dimensionality(z + 1e-6, reference, 7)  # as from another batch size
    torch.testing.assert_close(nearly, loop(z, reference, 7).float(), rtol=1e-3, atol=0)


def test_fewer_neighbours_left_than_wanted():
    reference = torch.tensor([[0.0], [0.0], [1.0], [2.0]])
    z = torch.zeros(1, 1, requires_grad=True)
    dimensionality = local_dimensionality(z, reference, 3)
    assert dimensionality.item() == pytest.approx(2 / math.log(2))
    (gradient,) = torch.autograd.grad(dimensionality.sum(), z)
    assert bool(gradient.isfinite().all())


def test_nothing_left_and_equal_distances():
    z = torch.zeros(1, 2, requires_grad=True)
    for reference, expected in ((torch.zeros(4, 2), 0.0), (torch.eye(2).repeat(2, 1), 1e6)):
        dimensionality = local_dimensionality(z, reference, 3)
        assert dimensionality.item() == pytest.approx(expected)
        (gradient,) = torch.autograd.grad(dimensionality.sum(), z)
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_it_measures_the_dimension(dimension):
    """Of points that fill a cube of few dimensions in a space of many."""
    generator = torch.Generator().manual_seed(0)
    frame = torch.linalg.qr(torch.randn(20, 20, generator=generator))[0][:dimension]
    points = torch.rand(5000, dimension, generator=generator) @ frame
    middle = (0.25 + 0.5 * torch.rand(200, dimension, generator=generator)) @ frame
    found = local_dimensionality(middle, points, 100).mean()
    assert found == pytest.approx(dimension, rel=0.1)


def test_the_score_is_the_log_odds_of_all_layers_and_z(mixture, sample, strange, fit):
    detector = fit(LID(k=6, reference=40))
    normals, anomalies, test = sample(mixture, 40, 11), strange(mixture, 40, 12), sample(mixture, 20, 3)
    places = torch.randperm(120, generator=torch.Generator().manual_seed(0))[:40]
    batch = sample(mixture, n=120).subset(places)

    def measured(f):
        layers = [(f.hidden["early"], batch.hidden["early"]), (f.hidden["late"], batch.hidden["late"]), (f.z, batch.z)]
        return torch.stack([loop(z, reference, 6) for z, reference in layers], 1).numpy()

    scaler = StandardScaler().fit(np.concatenate([measured(normals), measured(anomalies)]))
    regression = LogisticRegression(max_iter=1000)
    regression.fit(scaler.transform(np.concatenate([measured(normals), measured(anomalies)])), np.arange(80) >= 40)
    expected = regression.decision_function(scaler.transform(measured(test)))
    np.testing.assert_allclose(detector.score(test), expected, rtol=1e-3, atol=1e-3)


def test_layers_by_name(mixture, sample, fit):
    detector = fit(LID(k=6, reference=40, layers=("late",)))
    assert detector.layers_ == ["late"]
    assert detector.widths_ == [5, 4]
    assert detector.request == FeatureRequest(hidden=("late",))
    f = sample(mixture, n=9)
    without = replace(f, hidden={"late": f.hidden["late"]})
    assert torch.equal(detector.score(without), detector.score(f))


def test_all_layers_are_known_after_fitting(fit):
    with pytest.raises(ValueError, match=r"'lid' takes all hidden layers .* not fitted yet: give layers=, or ask"):
        _ = LID().request
    assert LID(layers=("a", "b")).request == FeatureRequest(hidden=("a", "b"))
    assert fit(LID(k=6, reference=40)).request == FeatureRequest(hidden=("early", "late"))


def test_the_class_is_not_looked_at(mixture, sample, fit):
    detector, f = fit(LID(k=6, reference=40)), sample(mixture, n=9, seed=1)
    assert torch.equal(detector.score(f, torch.zeros(9, dtype=torch.int64)), detector.score(f))


def test_the_batch_depends_on_the_seed_alone(fit):
    first, same, other = fit(LID()), fit(LID()), fit(LID(seed=1))
    assert torch.equal(first.reference_, same.reference_)
    assert not torch.equal(first.reference_, other.reference_)


def test_too_few_training_samples(mixture, sample, fit):
    with pytest.raises(ValueError, match=r"reference must be at most the 120 training samples, got 121: give more"):
        fit(LID(reference=121))


def test_one_normal_or_anomaly(mixture, sample, strange, fit):
    with pytest.raises(ValueError, match=r"normals have 1 sample.*'lid' needs at least two"):
        fit(LID(), normals=sample(mixture, n=1))
    with pytest.raises(ValueError, match=r"anomalies have 1 sample.*'lid' needs at least two"):
        fit(LID(), anomalies=strange(mixture, n=1))


def test_unknown_and_missing_layers(mixture, sample, strange, fit):
    with pytest.raises(ValueError, match=r"unknown hidden layer of the training features 'lat': did you mean 'late'"):
        fit(LID(layers=("lat",)))
    f = sample(mixture, n=9)
    lacking = replace(f, hidden={"late": f.hidden["late"]})
    message = (
        r"'lid' needs hidden layer 'early', the features have late: ask feature_set for hidden=\('early', 'late'\)"
    )
    with pytest.raises(ValueError, match=message):
        fit(LID()).score(lacking)
    with pytest.raises(ValueError, match=message):
        fit(LID(), normals=lacking)
    other = replace(f, hidden=f.hidden | {"early": torch.ones(9, 2)})
    with pytest.raises(ValueError, match="fitted to hidden layer 'early' of width 6, got 2: of another model"):
        fit(LID()).score(other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 1}, "k must be at least 2, got 1"),
        ({"k": 20, "reference": 20}, "reference must be above k=20, got 20"),
        ({"layers": "early"}, "layers must be a tuple of different names .* got 'early'"),
        ({"layers": ()}, "layers must be a tuple of different names"),
        ({"layers": ("a", "a")}, "layers must be a tuple of different names"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        LID(**arguments)
