"""Where images lie in feature space, seen in two dimensions: what the map of the page draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from drumlin.features import FeatureSet
from drumlin.heads import GaussianMixtureHead, Head
from drumlin.metrics.projection import Array, Projection, discriminant_plane, plane, principal_plane
from drumlin.tasks.base import Subject, TaskResult, as_arrays, stored_arrays
from drumlin.tasks.geometry import class_means
from drumlin.tasks.shown import Kind, ShownSet, features_of

TRAINING, TEST = "training", "test"
EXTREMES = 32
"""So many of the strangest test images are kept for each detector beside those that are drawn, and of the least strange ones
of every set that should be strange."""

_DRAWN = {Kind.TRAINING: 3000, Kind.TEST: 3000, Kind.OUT_OF_DISTRIBUTION: 2000, Kind.ATTACKED: 2000}
_FITTED = 20_000
_GRID = 160


def known_sets(subject: Subject, *names: str) -> dict[str, ShownSet]:
    """Return the run's own sets, by default both: "training", what it was trained on, and "test".

    Raises:
        ValueError: the data has no test split, or is not there.
    """
    run = subject.run
    ways = {TRAINING: (Kind.TRAINING, run.train_images), TEST: (Kind.TEST, run.test_images)}
    chosen = {name: (ways[name][0], ways[name][1]()) for name in names or ways}
    return {name: ShownSet(kind, subject.features(images), images) for name, (kind, images) in chosen.items()}


def feature_map(subject: Subject, sets: Mapping[str, ShownSet]) -> TaskResult:
    """Place images in two dimensions; stored as "map", where sets of earlier calls stay.

    A view is a way to two dimensions: `plane`, the features as they are, where these have two; else `pca`, the directions of
    greatest variance, and `lda`, those that tell the classes apart, where there are any. Views are fitted to at most 20,000
    training features, once a run: sets of later calls lie in the same ones.

    Of every set a seeded sample is drawn. Beside it come its extremes by every detector whose scores the run has stored
    (as "detection"): so scores are stored first.

    Args:
        subject: the run.
        sets: name → images and their features; `known_sets` are the run's own.

    Returns:
        No records. Arrays for every view V: `origin/V` (D,) and `axes/V` (D, 2), `means/V` (K, 2), `covariance/V` (K, 2, 2), of the
        head's own covariances, or of the training features where it has none; in two dimensions, for a head with a density,
        `density/x` (G,), `density/y` (G,), `density/log` (G, G) in nats, rows y. For every set S `kind/S`, and a row an image
        `index/S`, `drawn/S` (False for what is an extreme only), `V/S` (n, 2), `label/S` (−1 for none of the model's classes),
        `prediction/S`, `probability/S`, `thumbnail/S` (n, C, h, w).

    Raises:
        ValueError: features that are not finite.
    """
    subject.begin()
    run = subject.run
    head, seed = run.classifier.head, run.settings.seed
    training = subject.features(run.train_images())
    for name, features in {TRAINING: training, **features_of(sets)}.items():
        _check_finite(name, features.z)
    views = _stored_views(stored_arrays(run.folder, "map")) or _fit_views(training, seed)
    arrays: dict[str, Any] = {}
    for view, projection in views.items():
        arrays |= {f"origin/{view}": projection.origin, f"axes/{view}": projection.axes}
        arrays[f"means/{view}"] = projection.points(class_means(head, training))
        arrays[f"covariance/{view}"] = _covariances(head, training, projection)
    if "plane" in views and isinstance(head, GaussianMixtureHead):
        arrays |= _density(head, training.z)
    scores = stored_arrays(run.folder, "detection")
    for name, shown in sets.items():
        own = [values for key, values in scores.items() if key.partition("/")[2] == name]
        index, drawn = _choose(shown, own, seed)
        rows = {"kind": int(shown.kind), "index": index, "drawn": drawn, **_describe(shown, index, views)}
        arrays |= {f"{key}/{name}": values for key, values in rows.items()}
    return TaskResult([], as_arrays(arrays))


def _check_finite(name: str, z: Tensor) -> None:
    bad = int((~z.isfinite()).any(1).sum())
    if bad:
        raise ValueError(
            f"the features of {name} are not finite for {bad} of {len(z)} images, so they have no place on a map"
        )


def _stored_views(arrays: Mapping[str, Tensor]) -> dict[str, Projection]:
    """Return the views of an earlier call. Fitted anew they could be turned by a change of rounding or of a library's version."""
    axes = {key.removeprefix("axes/"): values.numpy() for key, values in arrays.items() if key.startswith("axes/")}
    return {view: Projection(arrays[f"origin/{view}"].numpy(), values) for view, values in axes.items()}


def _fit_views(training: FeatureSet, seed: int) -> dict[str, Projection]:
    if training.z.shape[1] == 2:
        return {"plane": plane(2)}
    assert training.y is not None
    chosen = _sample(len(training), _FITTED, seed)
    z, y = training.z[chosen].numpy(), training.y[chosen].numpy()
    views = {"pca": principal_plane(z), "lda": discriminant_plane(z, y)}
    return {view: projection for view, projection in views.items() if projection is not None}


def _covariances(head: Head, training: FeatureSet, projection: Projection) -> Array:
    """Return each class's covariance in the plane (K, 2, 2)."""
    if isinstance(head, GaussianMixtureHead):
        variances = head.variances.detach().cpu().double().numpy()
        return np.asarray(np.einsum("kd,da,db->kab", variances, projection.axes, projection.axes))
    assert training.y is not None
    points, y = projection.points(training.z), training.y.numpy()
    return np.stack([np.cov(points[y == k], rowvar=False, bias=True) for k in range(head.num_classes)])


@torch.no_grad()
def _density(head: GaussianMixtureHead, z: Tensor) -> dict[str, Tensor]:
    """Return log p(z) over the area where training features and means lie, and a margin around it."""
    points = torch.cat([z, head.means.cpu()])
    low, high = points.amin(0), points.amax(0)
    margin = (high - low).amax() * 0.15 + 1.0
    x, y = (torch.linspace(float(low[i] - margin), float(high[i] + margin), _GRID) for i in (0, 1))
    grid = torch.cartesian_prod(y, x).flip(1)
    log_density = head.log_density(grid.to(head.device)).cpu()
    return {"density/x": x, "density/y": y, "density/log": log_density.view(_GRID, _GRID)}


def _choose(shown: ShownSet, scores: Sequence[Tensor], seed: int) -> tuple[Tensor, Tensor]:
    """Return the rows of a set that are kept, ascending, and which of them the map draws."""
    n = len(shown.features)
    chosen = torch.zeros(n, dtype=torch.bool)
    chosen[_sample(n, _DRAWN[shown.kind], seed)] = True
    drawn = chosen.clone()
    if shown.kind is not Kind.TRAINING:
        for values in scores:
            if len(values) == n:  # else of what the set was before it changed on the disk
                chosen[values.topk(min(EXTREMES, n), largest=shown.kind is Kind.TEST).indices] = True
    return chosen.nonzero()[:, 0], drawn[chosen]


def _describe(shown: ShownSet, index: Tensor, views: Mapping[str, Projection]) -> dict[str, Tensor]:
    features = shown.features.subset(index)
    places = {view: torch.from_numpy(projection.points(features.z)).float() for view, projection in views.items()}
    return {
        **places,
        "label": shown.labels[index],
        "prediction": features.prediction,
        "probability": features.logits.softmax(1).amax(1),
        "thumbnail": shown.thumbnails(index),
    }


def _sample(n: int, most: int, seed: int) -> Tensor:
    """Return `most` of n numbers at random, or all; of sets that are equally large the same ones, as of test and attacked images."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:most]
