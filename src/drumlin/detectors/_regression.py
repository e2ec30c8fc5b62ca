"""Logistic regression that tells anomalies from normal samples, as a linear function of what was measured."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor


def log_odds(
    normals: Float[Tensor, "n f"], anomalies: Float[Tensor, "m f"], detector: str
) -> tuple[Float64[Tensor, " f"], float]:
    """Return weights w (F,) and intercept b: w·x + b are the log-odds of an anomaly.

    scikit-learn's regression with its L2 penalty (C = 1) on standardised measurements, the standardisation multiplied out.

    Raises:
        ValueError: normals or anomalies of fewer than two samples.

    >>> weights, intercept = log_odds(torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [3.0]]), "lid")
    >>> bool(weights[0] > 0), round(intercept / float(weights[0]), 4)  # the border lies at 1.5
    (True, -1.5)
    """
    for what, given in (("normals", normals), ("anomalies", anomalies)):
        if len(given) < 2:
            raise ValueError(
                f"{what} have {len(given)} sample: the logistic regression of detector {detector!r} needs at least two of normals and"
                " of anomalies, better hundreds"
            )
    measured = torch.cat([normals, anomalies]).detach().cpu().double().numpy()
    anomalous = torch.arange(len(measured)) >= len(normals)
    scaler = StandardScaler()  # type: ignore[no-untyped-call]
    standardised = scaler.fit_transform(measured)  # type: ignore[no-untyped-call]
    regression = LogisticRegression(max_iter=1000)  # type: ignore[no-untyped-call]
    regression.fit(standardised, anomalous.numpy())
    weights = torch.from_numpy(regression.coef_[0] / scaler.scale_)
    return weights, float(regression.intercept_[0]) - float(weights @ torch.from_numpy(scaler.mean_))
