"""Whether features tell if two images show the same person (or class), which need not be one that was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float64
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn import functional as F

from drumlin import _io
from drumlin.data import AnyImages, Images
from drumlin.data.images import in_order
from drumlin.data.pairs import Pairs
from drumlin.detectors._gaussians import class_means, pooled_covariance, whitening
from drumlin.metrics.intervals import student, wilson
from drumlin.metrics.verification import (
    best_threshold,
    count_right,
    folded_accuracy,
    roc,
    verification_metrics,
)
from drumlin.results import Record
from drumlin.tasks.base import Subject, TaskResult, as_arrays

TASK = "verification"
_CHUNK = 10_000

Map = Callable[[Tensor], Tensor]


def _whitened(z: Tensor, y: Tensor) -> Map:
    """Return what makes the covariance that the training classes share the identity."""
    _, place, counts = torch.unique(y, return_inverse=True, return_counts=True)
    matrix, _ = whitening(pooled_covariance(z, place, class_means(z, place, counts)))
    return lambda x: x @ matrix


SCORES: dict[str, Callable[[Tensor, Tensor], Map]] = {
    "l2": lambda z, y: lambda x: x,
    "cosine": lambda z, y: F.normalize,
    "mahalanobis": _whitened,
}
"""Name → (training features, their classes) → map of features; the score of a pair is the Euclidean distance of what they map to."""


def verification(
    subject: Subject,
    pairs: Pairs,
    *,
    threshold_pairs: Pairs | None = None,
    scores: Sequence[str] = tuple(SCORES),
    pca: int | None = 64,
    flip: bool = True,
) -> TaskResult:
    """Measure how well distances of features tell pairs of the same from pairs of different ones.

    In this order: the features of an image and of its mirror image are averaged; projected on the first principal components of the
    training features; made comparable by the score, and subtracted:

    - `l2`: ‖a − b‖, not normalised, as T has it.
    - `cosine`: ‖a/‖a‖ − b/‖b‖‖ = √(2 − 2 cos(a, b)): after PCA the angle at the mean of the training features, else at the origin.
    - `mahalanobis`: √((a − b)ᵀ Σ⁻¹ (a − b)), Σ the covariance within the classes that were trained on, pooled. L does not say which it
      took; that of all features would make no difference between what tells persons apart and what does not.

    Components and Σ are fitted to the features of the training images alone, unmirrored. Where the file of `pairs` names people and
    classes that were trained on are among them, a warning counts them; of pairs that name nobody it is for whoever chose them to see
    to. The threshold for accuracy comes from `threshold_pairs` (LFW's View 1) or, without these, for
    each fold from the other folds (View 2); of pairs without folds there is no accuracy.

    Args:
        subject: the run.
        pairs: to measure on.
        threshold_pairs: to choose the threshold on, e.g. LFW's pairsDevTrain.txt for its pairsDevTest.txt.
        scores: names out of `SCORES`.
        pca: number of components; None for none.
        flip: False leaves the mirror images out.

    Returns:
        For each score records of `accuracy`, in View 2 with Student's interval of the mean over the folds, cut to 0..1 (none where all
        folds have one accuracy), and with `accuracy-standard-error` beside, in View 1 with a Wilson interval; `auroc`,
        `equal-error-rate`, `tpr@fpr=0.01` and `tpr@fpr=0.001`, pairs of the same as positives (no value of fewer than 100 and 1,000
        different pairs). The protocol names file, score, PCA and view. Arrays `FILE/same` and
        `FILE/fold` (P,), and with the protocol in the place of the file `distance` (P,), `fpr` and `tpr` of the ROC curve.

    Raises:
        ValueError: an unknown score or none; `pca` out of 1..D or not below the number of training images; pairs all of one kind;
            an image that cannot be decoded.

    Source: Huang et al., Labeled Faces in the Wild, 2007; T §4.2 (PCA from 512 to 64, then L2); L §4.2 (PCA, then Mahalanobis).
    """
    subject.begin()
    _warn_of_known(pairs, subject.run.classifier.class_names)
    chosen = {name: _score(name) for name in scores}
    if not chosen:
        raise ValueError(f"scores must be at least one of {', '.join(SCORES)}")
    train = subject.features(subject.run.train_images())
    assert train.y is not None
    z = train.z.double()
    project = _projection(z, pca)
    z = project(z)
    points = project(_features(subject, pairs, flip))
    others = None if threshold_pairs is None else project(_features(subject, threshold_pairs, flip))
    how = f"{'no PCA' if pca is None else f'PCA {pca}'}{', mirrored' if flip else ''}"
    records: list[Record] = []
    arrays: dict[str, Any] = {f"{pairs.name}/same": pairs.same, f"{pairs.name}/fold": pairs.fold}
    for name, fit in chosen.items():
        mapped = fit(z, train.y)
        own, same = _distances(mapped, points, pairs), pairs.same.numpy()
        protocol = f"{pairs.name}, {name}, {how}"
        facts = {"split": "test", "n": len(pairs), "unit": "fraction"}
        if threshold_pairs is not None and others is not None:
            threshold = best_threshold(_distances(mapped, others, threshold_pairs), threshold_pairs.same.numpy())
            right = count_right(own, same, threshold)
            low, high = wilson(right, len(pairs))
            view = f"{protocol}, threshold from {threshold_pairs.name}"
            interval = {"ci_low": low, "ci_high": high}
            records.append(subject.record(TASK, "accuracy", right / len(pairs), protocol=view, **interval, **facts))
        elif pairs.folds > 1:
            folded = folded_accuracy(own, same, pairs.fold.numpy())
            view = f"{protocol}, {pairs.folds} folds"
            spread = student(folded.mean, folded.standard_error, pairs.folds)
            interval = {} if spread is None else {"ci_low": max(0.0, spread[0]), "ci_high": min(1.0, spread[1])}
            records.append(subject.record(TASK, "accuracy", folded.mean, protocol=view, **interval, **facts))
            error = folded.standard_error
            records.append(subject.record(TASK, "accuracy-standard-error", error, protocol=view, **facts))
        for metric, value in verification_metrics(own, same).items():
            records.append(subject.record(TASK, metric, value, protocol=protocol, **facts))
        curve = roc(own, same)
        found = {"distance": own, "fpr": curve.fpr, "tpr": curve.tpr}
        arrays |= {f"{protocol}/{key}": value for key, value in found.items()}
    return TaskResult(records, as_arrays(arrays))


def _warn_of_known(pairs: Pairs, trained: Sequence[str]) -> None:
    known = pairs.people & set(trained)
    if known:
        warnings.warn(
            f"{len(known)} of the {len(pairs.people)} people in {pairs.name} are classes that the run was trained on:"
            " how well it tells strangers is not measured by them"
        )


def _score(name: str) -> Callable[[Tensor, Tensor], Map]:
    if name not in SCORES:
        raise _io.unknown("score", name, SCORES)
    return SCORES[name]


def _projection(z: Float64[Tensor, "n d"], dimensions: int | None) -> Map:
    """Return what projects features on the principal components of z."""
    if dimensions is None:
        return lambda x: x
    samples, width = z.shape
    most = min(width, samples - 1)  # n points span n - 1 directions
    if not 1 <= dimensions <= most:
        raise ValueError(
            f"pca must be in 1..{most} for {samples} training features of {width} dimensions, or None, got {dimensions}"
        )
    fitted = PCA(dimensions, random_state=0).fit(z.numpy())  # type: ignore[no-untyped-call]
    mean, axes = torch.from_numpy(fitted.mean_), torch.from_numpy(fitted.components_)
    return lambda x: (x - mean) @ axes.T


def _features(subject: Subject, pairs: Pairs, flip: bool) -> Float64[Tensor, "n d"]:
    """Return the features of each image of the pairs, averaged with those of its mirror image if asked for."""
    inputs = subject.run.classifier.inputs
    images = pairs.images(channels=inputs.channels, size=inputs.size, root=subject.run.root)
    z = subject.features(images).z.double()
    return (z + _mirrored(subject, images).double()) / 2 if flip else z


def _mirrored(subject: Subject, images: AnyImages) -> Tensor:
    """Return the features of the images, left and right exchanged."""
    parts = [
        Images(
            pixels=pixels.flip(3),
            labels=labels,
            class_names=images.class_names,
            name=images.name,
            split=images.split,
            note="mirrored",
        )
        for pixels, labels in images.stream(in_order(len(images), _CHUNK))
    ]
    return torch.cat([subject.features(part).z for part in parts])


def _distances(mapped: Map, z: Tensor, pairs: Pairs) -> npt.NDArray[np.float64]:
    """Return the score of each pair (P,)."""
    points = mapped(z)
    difference = points[pairs.index[:, 0]] - points[pairs.index[:, 1]]
    return np.asarray(torch.linalg.vector_norm(difference, dim=1))
