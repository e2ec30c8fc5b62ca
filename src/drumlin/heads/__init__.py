"""Heads: features → logits and loss. One head a file; `create_head` makes one from its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from drumlin.heads.base import Head, HeadOutput
from drumlin.heads.center import CenterHead
from drumlin.heads.contrastive_center import ContrastiveCenterHead
from drumlin.heads.gaussian_mixture import GaussianMixtureHead
from drumlin.heads.isotropic import IsotropicHead
from drumlin.heads.l_softmax import LSoftmaxHead
from drumlin.heads.max_mahalanobis import MaxMahalanobisHead
from drumlin.heads.metric import MetricHead
from drumlin.heads.reverse_cross_entropy import ReverseCrossEntropyHead
from drumlin.heads.softmax import SoftmaxHead
from drumlin.settings.heads import (
    CenterSettings,
    ContrastiveCenterSettings,
    ContrastiveSettings,
    GaussianMixtureSettings,
    HeadSettings,
    IsotropicSettings,
    LargeMarginSettings,
    LSoftmaxSettings,
    MaxMahalanobisSettings,
    ReverseCrossEntropySettings,
    SoftmaxSettings,
    TripletSettings,
)

__all__ = [
    "CenterHead",
    "ContrastiveCenterHead",
    "GaussianMixtureHead",
    "Head",
    "HeadOutput",
    "IsotropicHead",
    "LSoftmaxHead",
    "MaxMahalanobisHead",
    "MetricHead",
    "ReverseCrossEntropyHead",
    "SoftmaxHead",
    "create_head",
]

# In settings None means a share of the training, whose length is not known here: the training resolves it before.


def _gaussian_mixture(
    in_features: int, num_classes: int, *, learned_prior: bool, warmup_steps: int | None, **options: Any
) -> Head:
    prior = "learned" if learned_prior else None
    return GaussianMixtureHead(in_features, num_classes, prior=prior, warmup_steps=warmup_steps or 0, **options)


def _l_softmax(in_features: int, num_classes: int, *, gamma: float | None, **options: Any) -> Head:
    if gamma is not None:
        options["gamma"] = gamma
    return LSoftmaxHead(in_features, num_classes, **options)


_BUILDERS: dict[type[HeadSettings], Callable[..., Head]] = {
    SoftmaxSettings: SoftmaxHead,
    CenterSettings: CenterHead,
    ContrastiveCenterSettings: ContrastiveCenterHead,
    LSoftmaxSettings: _l_softmax,
    ReverseCrossEntropySettings: ReverseCrossEntropyHead,
    MaxMahalanobisSettings: MaxMahalanobisHead,
    IsotropicSettings: IsotropicHead,
    TripletSettings: partial(MetricHead, loss="triplet"),
    ContrastiveSettings: partial(MetricHead, loss="contrastive"),
    GaussianMixtureSettings: _gaussian_mixture,
    LargeMarginSettings: _gaussian_mixture,
}


def create_head(settings: HeadSettings, in_features: int, num_classes: int) -> Head:
    """Return the head that `settings` describe, for D = `in_features` and K = `num_classes`.

    Raises:
        ValueError: a setting outside its range.

    >>> from drumlin.settings.heads import head_settings
    >>> create_head(head_settings("lgm"), 2, 3).covariance
    'diagonal'
    """
    options = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    return _BUILDERS[type(settings)](in_features, num_classes, **options)
