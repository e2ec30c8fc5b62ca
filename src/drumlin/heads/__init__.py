"""Heads: features → logits and loss. One head a file; `create_head` makes one from its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from drumlin.heads.base import Head, HeadOutput
from drumlin.heads.gaussian_mixture import GaussianMixtureHead
from drumlin.heads.softmax import SoftmaxHead
from drumlin.settings.heads import GaussianMixtureSettings, HeadSettings, LargeMarginSettings, SoftmaxSettings

__all__ = ["GaussianMixtureHead", "Head", "HeadOutput", "SoftmaxHead", "create_head"]


def _gaussian_mixture(
    in_features: int, num_classes: int, *, learned_prior: bool, warmup_steps: int | None, **options: Any
) -> Head:
    # None means a share of the training, whose length is not known here: the training resolves it before.
    prior = "learned" if learned_prior else None
    return GaussianMixtureHead(in_features, num_classes, prior=prior, warmup_steps=warmup_steps or 0, **options)


_BUILDERS: dict[type[HeadSettings], Callable[..., Head]] = {
    SoftmaxSettings: SoftmaxHead,
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
