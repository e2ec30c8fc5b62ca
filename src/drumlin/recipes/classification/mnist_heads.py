"""MNIST with every head, 2-D and 100-D features: L Table 1, T Table 1, S's figures, and the heads they do not have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from drumlin.recipes.experiment import Experiment
from drumlin.recipes.feature_space import error_and_geometry
from drumlin.recipes.scales import MNIST, MNIST_100D, RATES, Setting, candidates, run_settings, setting
from drumlin.recipes.variants import Published, Variant
from drumlin.results.record import Scale
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import HeadSettings, head_settings
from drumlin.settings.run import RunSettings

ABOUT = "MNIST with every head, 2-D and 100-D: test error beside L and T Table 1 and S"
DIMENSIONS = (2, 100)
_UNTUNED = RATES[1]
"""What is taken where none is tried, on L's network."""
_REPEATS: dict[Scale, int] = {"cpu": 1, "paper": 3, "smoke": 1}
"""Trainings of a row on L's network; L and T have three."""

_L, _S = "L Table 1, T Table 1", "S, test accuracy on MNIST"

HEADS: dict[str, HeadSettings] = {
    "softmax": head_settings("softmax"),
    "softmax smoothed 0.1": head_settings("softmax", label_smoothing=0.1),
    "center": head_settings("center"),
    "contrastive-center": head_settings("contrastive-center"),
    "l-softmax m=2": head_settings("l-softmax", margin=2),
    "l-softmax m=3": head_settings("l-softmax", margin=3),
    "l-softmax m=4": head_settings("l-softmax", margin=4),
    "isotropic": head_settings("isotropic"),
    "rce": head_settings("rce"),
    "max-mahalanobis": head_settings("max-mahalanobis"),
    "triplet": head_settings("triplet", softmax_weight=0.0),
    "triplet + softmax": head_settings("triplet"),
    "contrastive": head_settings("contrastive", softmax_weight=0.0),
    "contrastive + softmax": head_settings("contrastive"),
    "gm": head_settings("gm", margin=1.0),
    "lgm": head_settings("lgm", margin=1.0),
    "gm clipped": head_settings("gm", margin=1.0),
    "lgm clipped": head_settings("lgm", margin=1.0),
    "gm in bfloat16": head_settings("gm", margin=1.0, matmul="bfloat16"),
    "lgm in bfloat16": head_settings("lgm", margin=1.0, matmul="bfloat16"),
}
"""The rows on the fast network; margin 1 is what the papers take for MNIST."""

CLIPPED = {"gm clipped", "lgm clipped", "lgm alpha=1 clipped"}
"""Rows trained with gradients no longer than 1: with this margin and plain SGD a mixture's training now and then falls apart."""

_ONLY_100D = {"max-mahalanobis", "gm in bfloat16", "lgm in bfloat16"}
"""Ten means as far apart as can be need nine dimensions; and rounding is of interest where there are many."""

TABLE_1: dict[str, tuple[HeadSettings, tuple[float, float], str]] = {
    "softmax": (head_settings("softmax"), (1.82, 0.68), _L),
    "center": (head_settings("center"), (1.45, 0.47), _L),
    "l-softmax m=2": (head_settings("l-softmax", margin=2), (1.30, 0.43), _L),
    "lgm alpha=0": (head_settings("lgm", margin=0.0), (1.44, 0.49), "L Table 1"),
    "lgm alpha=0.3": (head_settings("lgm", margin=0.3), (1.32, 0.42), "L Table 1"),
    "lgm alpha=1": (head_settings("lgm", margin=1.0), (1.17, 0.39), "L Table 1"),
    "lgm alpha=1 clipped": (head_settings("lgm", margin=1.0), (1.17, 0.39), "L Table 1"),
    "gm alpha=0": (head_settings("gm", margin=0.0), (1.44, 0.49), "T Table 1"),
    "gm alpha=0.3": (head_settings("gm", margin=0.3), (1.32, 0.42), "T Table 1"),
    "gm alpha=1": (head_settings("gm", margin=1.0), (1.17, 0.39), "T Table 1"),
}
"""L's and T's rows on their network, with their error rates in percent at 2-D and 100-D, and the source. T has L's numbers for another
loss. Neither says which m L-Softmax had."""

_PUBLISHED_2D: dict[str, Published] = {
    "softmax": Published(0.0182, _L),
    "center": Published(0.0145, _L),
    "l-softmax m=2": Published(0.0104, _S),
    "l-softmax m=3": Published(0.0078, _S),
    "l-softmax m=4": Published(0.0066, _S),
    "gm": Published(0.0117, "T Table 1"),
    "gm clipped": Published(0.0117, "T Table 1"),
    "lgm clipped": Published(0.0117, "L Table 1"),
    "lgm": Published(0.0117, "L Table 1"),
}
_PUBLISHED_100D: dict[str, Published] = {
    "softmax": Published(0.0068, _L),
    "center": Published(0.0047, _L),
    "l-softmax m=2": Published(0.0043, _L),
    "gm": Published(0.0039, "T Table 1"),
    "gm clipped": Published(0.0039, "T Table 1"),
    "lgm clipped": Published(0.0039, "L Table 1"),
    "lgm": Published(0.0039, "L Table 1"),
}
PUBLISHED = {2: _PUBLISHED_2D, 100: _PUBLISHED_100D}
"""Dimension → row → error that was published."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: all heads in both dimensions with the same small tuning, then L's and T's Table 1 on its network."""
    chosen = setting(MNIST, scale)
    return Experiment(
        "mnist-heads",
        scale,
        (*_rows(chosen, MNIST_100D[scale]), *_table_1(chosen, _REPEATS[scale])),
        error_and_geometry,
    )


def _rows(scale: Setting, high: Mapping[str, object]) -> Iterator[Variant]:
    """Yield a row a head and dimension; `high` is what the network has besides where there are 100."""
    for dimension in DIMENSIONS:
        for name, head in HEADS.items():
            if name in _ONLY_100D and dimension != 100:
                continue
            published = PUBLISHED[dimension].get(name) if scale.data == "mnist" else None
            rates = {
                rate: _clipped(name, settings)
                for rate, settings in candidates(
                    scale, head, feature_dim=dimension, **(high if dimension == 100 else {})
                ).items()
            }
            yield Variant(f"{name}, {dimension}-D", rates, scale.seeds, published)


def _table_1(scale: Setting, repeats: int) -> Iterator[Variant]:
    """Yield L's and T's rows, with so many seeds: at 100-D it has a ReLU after the linear map."""
    network = "cvpr-6" if scale.data == "mnist" else scale.backbone
    for place, dimension in enumerate(DIMENSIONS):
        for name, (head, errors, source) in TABLE_1.items():
            backbone = backbone_settings(network, feature_dim=dimension, relu=dimension == 100)
            settings = _clipped(name, run_settings(scale, head, backbone, _UNTUNED))
            published = Published(errors[place] / 100, source) if scale.data == "mnist" else None
            yield Variant(
                f"{name}, {dimension}-D, L's network", {"lr=0.03": settings}, scale.seeds[:repeats], published
            )


def _clipped(name: str, settings: RunSettings) -> RunSettings:
    if name not in CLIPPED:
        return settings
    return dataclasses.replace(settings, training=dataclasses.replace(settings.training, grad_clip=1.0))
