"""How the classes lie in feature space: distances between means against the optimum, the spread around them, and its shape."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from drumlin.detectors import _gaussians
from drumlin.features import FeatureSet
from drumlin.functional import center_loss
from drumlin.heads import GaussianMixtureHead, Head
from drumlin.metrics.gaussianity import DIMENSIONS, LEAST, class_spectra, normality, spectrum_shape
from drumlin.metrics.geometry import pair_distances, spread
from drumlin.results import Record
from drumlin.tasks.base import Subject, TaskResult, as_arrays

TASK = "geometry"


def geometry(subject: Subject) -> TaskResult:
    """Measure distances between class means, and the spread of the test features: how wide, of what shape, how Gaussian.

    The means are the head's where it has any, else those of the training features. Where the loss has an optimal distance,
    it is recorded beside the measured one (as `published`, with its equation).

    `center-loss` is the mean of ½‖z − c_y‖², with c the means of the training features whatever the head, so that losses can be
    compared (I Fig. 6, which does not say what its centers are); `training-center-loss` that of the training features themselves.

    Of the covariances of the classes of 20 test images or more, the medians of the share of the `first-eigenvalue`, of the
    participation ratio (`effective-dimensions`) and of the largest eigenvalue to the smallest (`eigenvalue-ratio`; none if there are
    fewer samples than dimensions). Of their normality, in the ten widest directions of each class, the share of the classes that
    Henze and Zirkler's test rejects at 5% (`classes-not-normal`), and Mardia's kurtosis over that of a Gaussian (`kurtosis-ratio`).
    `n` of these five is the number of classes that they rest on. Where that is less than half of the classes among the test images, or
    one alone, they have no value: it would say little of the classes. Where the test images are of one class, what is between classes
    has none either, and a warning says so.

    Returns:
        Records; arrays `distances` (K, K) between means, `means` (K, D), and `eigenvalues` (C, D) of the covariances that count.
    """
    subject.begin()
    run = subject.run
    train = subject.features(run.train_images())
    means = class_means(run.classifier.head, train)
    pairs = pair_distances(means.numpy())
    optimum = optimal_distance(run.classifier.head)
    known = {} if optimum is None else {"published": optimum, "published_source": "T eq. 16"}
    facts = {"split": "train", "unit": "feature units", "n": pairs.pairs}
    records = [
        subject.record(TASK, "mean-distance", pairs.mean, **facts, **known),
        subject.record(TASK, "mean-distance-cv", pairs.cv, **(facts | {"unit": "ratio"})),
        subject.record(TASK, "mean-distance-min", pairs.minimum, **facts),
    ]
    features = subject.features(run.test_images())
    assert features.y is not None
    if _occurring(features) == 1:
        warnings.warn(
            "the test images are of one class: distances between classes and the shape of classes have no value"
        )
    widths = spread(features.z.numpy(), features.y.numpy())
    facts = {"split": "test", "unit": "feature units", "n": len(features)}
    records += [
        subject.record(TASK, "intra-class-spread", widths.intra, **facts),
        subject.record(TASK, "inter-class-distance", widths.inter, **facts),
        subject.record(TASK, "intra-inter-ratio", widths.ratio, **(facts | {"unit": "ratio"})),
    ]
    centers = feature_means(train, run.classifier.head.num_classes)
    records += [
        _center_loss(subject, "center-loss", features, centers, split="test"),
        _center_loss(subject, "training-center-loss", train, centers, split="train"),
    ]
    spectra = class_spectra(features.z.numpy(), features.y.numpy(), at_least=LEAST)
    records += _shape(subject, spectra, _occurring(features)) + _normality(subject, features)
    arrays = {"distances": torch.cdist(means, means), "means": means, "eigenvalues": spectra}
    return TaskResult(records, as_arrays(arrays))


def _center_loss(subject: Subject, metric: str, features: FeatureSet, centers: Tensor, *, split: str) -> Record:
    assert features.y is not None
    value = float(center_loss(features.z, features.y, centers).double().mean())
    return subject.record(TASK, metric, value, unit="squared feature units", split=split, n=len(features))


def _occurring(features: FeatureSet) -> int:
    assert features.y is not None
    return int(features.y.bincount().count_nonzero())


def _of_most(value: float, classes: int, occurring: int) -> float | None:
    """Return a value that rests on so many of the classes that occur; None if they are too few to stand for all."""
    return value if classes >= 2 and 2 * classes >= occurring else None


def _shape(subject: Subject, spectra: npt.NDArray[np.float64], occurring: int) -> list[Record]:
    measured = spectrum_shape(spectra)
    classes = measured.classes
    return [
        subject.record(TASK, metric, _of_most(value, classes, occurring), unit=unit, split="test", n=classes)
        for metric, value, unit in (
            ("first-eigenvalue", measured.first_share, "fraction"),
            ("effective-dimensions", measured.participation_ratio, "dimensions"),
            ("eigenvalue-ratio", measured.condition, "ratio"),
        )
    ]


def _normality(subject: Subject, features: FeatureSet) -> list[Record]:
    assert features.y is not None
    measured = normality(features.z.numpy(), features.y.numpy())
    widest = f"{min(DIMENSIONS, features.z.shape[1])} widest directions of a class"
    occurring = _occurring(features)
    rejected, kurtosis = (
        _of_most(value, measured.classes, occurring) for value in (measured.rejected, measured.kurtosis)
    )
    facts = {"split": "test", "n": measured.classes}
    test = f"Henze-Zirkler at 5%, {widest}"
    return [
        subject.record(TASK, "classes-not-normal", rejected, unit="fraction", protocol=test, **facts),
        subject.record(TASK, "kurtosis-ratio", kurtosis, unit="ratio", protocol=f"Mardia, {widest}", **facts),
    ]


def class_means(head: Head, features: FeatureSet) -> Tensor:
    """Return the means (K, D) that the head holds, else those of labelled features; on the CPU, as extracted features are."""
    return feature_means(features, head.num_classes) if head.class_means is None else head.class_means.cpu()


def feature_means(features: FeatureSet, num_classes: int) -> Tensor:
    """Return the means (K, D) of the classes of labelled features."""
    assert features.y is not None
    counts = torch.bincount(features.y, minlength=num_classes)
    return _gaussians.class_means(features.z, features.y, counts).to(features.z.dtype)


def optimal_distance(head: Head) -> float | None:
    """Return the distance between means at the optimum of the head's loss, or None where it has none."""
    try:
        return head.optimal_distance() if isinstance(head, GaussianMixtureHead) else None
    except ValueError:
        return None
