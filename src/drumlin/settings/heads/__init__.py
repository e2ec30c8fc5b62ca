"""What can be set of each head, without torch: the command line's flags and a run's configuration are made of these."""

from __future__ import annotations

import dataclasses
from typing import Any

from drumlin._io import unknown
from drumlin.settings.heads.base import HeadSettings
from drumlin.settings.heads.linear import LSoftmaxSettings, ReverseCrossEntropySettings, SoftmaxSettings
from drumlin.settings.heads.metric import ContrastiveSettings, MetricLoss, Mining, TripletSettings
from drumlin.settings.heads.mixtures import (
    Covariance,
    GaussianMixtureSettings,
    LargeMarginSettings,
    Likelihood,
    Margin,
    Matmul,
    MaxMahalanobisSettings,
)
from drumlin.settings.heads.regularised import (
    CenterSettings,
    CenterUpdate,
    ContrastiveCenterSettings,
    IsotropicSettings,
)

__all__ = [
    "HEADS",
    "CenterSettings",
    "CenterUpdate",
    "ContrastiveCenterSettings",
    "ContrastiveSettings",
    "Covariance",
    "GaussianMixtureSettings",
    "HeadSettings",
    "IsotropicSettings",
    "LSoftmaxSettings",
    "LargeMarginSettings",
    "Likelihood",
    "Margin",
    "Matmul",
    "MaxMahalanobisSettings",
    "MetricLoss",
    "Mining",
    "ReverseCrossEntropySettings",
    "SoftmaxSettings",
    "TripletSettings",
    "head_settings",
]

HEADS: dict[str, type[HeadSettings]] = {
    kind._name: kind
    for kind in (
        SoftmaxSettings,
        CenterSettings,
        ContrastiveCenterSettings,
        LSoftmaxSettings,
        IsotropicSettings,
        ReverseCrossEntropySettings,
        MaxMahalanobisSettings,
        TripletSettings,
        ContrastiveSettings,
        GaussianMixtureSettings,
        LargeMarginSettings,
    )
}
"""Every head's settings by its name."""


def head_settings(name: str, **fields: Any) -> HeadSettings:
    """Return the settings of the head called `name`, its defaults replaced by `fields`.

    Raises:
        ValueError: an unknown name or field; the message names the nearest.

    >>> head_settings("lgm").covariance, head_settings("gm", margin=1.0).margin
    ('diagonal', 1.0)
    """
    if name not in HEADS:
        raise unknown("head", name, HEADS)
    known = [field.name for field in dataclasses.fields(HEADS[name])]
    for field in fields:
        if field not in known:
            raise unknown(f"setting of head {name!r}", field, known)
    return HEADS[name](**fields)
