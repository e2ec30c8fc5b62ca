"""The logistic regression that two detectors end in."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from drumlin.detectors._regression import log_odds


def measured(n, offset, seed):
    scale = torch.tensor([1.0, 1e3, 1e-4])
    return (torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)) + offset) * scale + 5


def test_scikit_learn_agrees():
    normals, anomalies, test = measured(50, 0, 0), measured(30, 1, 1), measured(20, 0.5, 2)
    weights, intercept = log_odds(normals, anomalies, "lid")
    theirs = make_pipeline(StandardScaler(), LogisticRegression())
    theirs.fit(torch.cat([normals, anomalies]).double().numpy(), np.arange(80) >= 50)
    expected = theirs.decision_function(test.double().numpy())
    np.testing.assert_allclose(test.double() @ weights + intercept, expected, rtol=1e-3, atol=1e-3)
    assert bool((weights > 0).all())


def test_a_measurement_that_never_varies_has_no_weight():
    normals, anomalies = measured(50, 0, 0), measured(30, 1, 1)
    normals[:, 1] = anomalies[:, 1] = 1e6
    weights, intercept = log_odds(normals, anomalies, "lid")
    assert weights[1] == 0
    assert np.isfinite(intercept)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_samples_of_either_kind(n):
    with pytest.raises(ValueError, match=f"normals have {n} sample.* of detector 'lid' needs at least two"):
        log_odds(measured(n, 0, 0), measured(9, 1, 1), "lid")
    with pytest.raises(ValueError, match=f"anomalies have {n} sample.* of detector 'lid' needs at least two"):
        log_odds(measured(9, 0, 0), measured(n, 1, 1), "lid")
