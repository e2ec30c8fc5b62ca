"""K-density and uncertainty by dropout, weighed against one another."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from drumlin.detectors import KDensity, KDensityUncertainty
from drumlin.detectors.k_density_uncertainty import uncertainty
from drumlin.features import FeatureRequest


@pytest.fixture
def fit(mixture, sample, strange):
    def fitted(detector, **changes):
        parts = {"normals": sample(mixture, n=40, seed=11), "anomalies": strange(mixture, n=40, seed=12)}
        return detector.fit(replace(sample(mixture), draws=None), **(parts | changes))

    return fitted


def test_uncertainty_is_the_papers_formula():
    draws = torch.rand(50, 7, 4, generator=torch.Generator().manual_seed(0)).softmax(2).double()
    expected = [
        sum(float(p @ p) for p in draws[:, i]) / 50 - float(draws[:, i].mean(0) @ draws[:, i].mean(0)) for i in range(7)
    ]
    torch.testing.assert_close(uncertainty(draws), torch.tensor(expected).double())


def test_uncertainty_of_draws_that_agree_is_zero_and_never_negative():
    draws = torch.tensor([0.9, 0.1 - 1e-7, 1e-7]).expand(50, 3, 3)
    assert bool((uncertainty(draws) >= 0).all())
    assert float(uncertainty(draws).max()) < 1e-13  # ‖p‖² − ‖p̄‖² in float32 would be off by 1e-7


def test_the_score_is_the_log_odds_of_both(mixture, sample, strange, fit):
    detector = fit(KDensityUncertainty(bandwidth=1.0, draws=5))
    density = KDensity(bandwidth=1.0).fit(sample(mixture))
    normals, anomalies, test = sample(mixture, 40, 11), strange(mixture, 40, 12), sample(mixture, 20, 3)

    def measured(f, y=None):
        return torch.stack([density.score(f, y), f.draws.var(0, correction=0).sum(1)], 1).double().numpy()

    theirs = make_pipeline(StandardScaler(), LogisticRegression())
    theirs.fit(np.concatenate([measured(normals), measured(anomalies)]), np.arange(80) >= 40)
    for y in (None, (test.prediction + 1) % 3):
        expected = theirs.decision_function(measured(test, y))
        np.testing.assert_allclose(detector.score(test, y), expected, rtol=1e-3, atol=1e-3)


def test_uncertainty_alone_can_tell(mixture, sample, fit):
    """Anomalies whose features are those of normal samples: only their draws differ."""
    same = sample(mixture, n=40, seed=11)
    noisy = torch.rand(5, 40, 3, generator=torch.Generator().manual_seed(0)).mul(5).softmax(2)
    sure = replace(same, draws=torch.nn.functional.one_hot(same.y, 3).float().expand(5, 40, 3))
    detector = fit(KDensityUncertainty(draws=5), normals=sure, anomalies=replace(same, draws=noisy))
    assert bool((detector.score(replace(same, draws=noisy)) > detector.score(sure)).all())


def test_request_and_number_of_draws(mixture, sample, fit):
    assert KDensityUncertainty().request == FeatureRequest(draws=50)
    message = r"'k-density-uncertainty' takes 4 draws, the features have 5: ask feature_set for draws=4"
    with pytest.raises(ValueError, match=message):
        fit(KDensityUncertainty(draws=4))
    f = sample(mixture, n=9)
    with pytest.raises(ValueError, match="takes 5 draws, the features have 4"):
        fit(KDensityUncertainty(draws=5)).score(replace(f, draws=f.draws[:4]))


def test_one_normal_or_anomaly(mixture, sample, strange, fit):
    with pytest.raises(ValueError, match=r"normals have 1 sample.*'k-density-uncertainty' needs at least two"):
        fit(KDensityUncertainty(draws=5), normals=sample(mixture, n=1))
    with pytest.raises(ValueError, match=r"anomalies have 1 sample.*'k-density-uncertainty' needs at least two"):
        fit(KDensityUncertainty(draws=5), anomalies=strange(mixture, n=1))


def test_a_second_fit_that_fails_in_the_regression_leaves_the_density(mixture, sample, fit):
    detector = fit(KDensityUncertainty(draws=5))
    before = detector.score(sample(mixture))
    shifted = replace(sample(mixture), z=sample(mixture).z + 1)
    with pytest.raises(ValueError, match="at least two"):
        detector.fit(shifted, normals=sample(mixture, n=1), anomalies=sample(mixture, n=9))
    assert torch.equal(detector.score(sample(mixture)), before)


def test_arguments_out_of_range():
    with pytest.raises(ValueError, match="draws must be at least 2, got 1: one draw has no variance"):
        KDensityUncertainty(draws=1)
    with pytest.raises(ValueError, match="bandwidth must be above 0"):
        KDensityUncertainty(bandwidth=-1.0)
