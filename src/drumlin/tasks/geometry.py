"""How the classes lie in feature space: distances between means against the optimum, and the spread around them."""

from __future__ import annotations

import torch
from torch import Tensor

from drumlin.features import FeatureSet
from drumlin.heads import GaussianMixtureHead, Head
from drumlin.metrics.geometry import pair_distances, spread
from drumlin.tasks.base import Subject, TaskResult, as_arrays

TASK = "geometry"


def geometry(subject: Subject) -> TaskResult:
    """Measure distances between class means, and intra- and inter-class spread of the test features.

    The means are the head's where it has any, else those of the training features. Where the loss has an optimal distance,
    it is recorded beside the measured one (as `published`, with its equation).

    Returns:
        Records; array `distances` (K, K) between means.
    """
    subject.begin()
    run = subject.run
    means = class_means(run.classifier.head, subject.features(run.train_images()))
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
    widths = spread(features.z.numpy(), features.y.numpy())
    facts = {"split": "test", "unit": "feature units", "n": len(features)}
    records += [
        subject.record(TASK, "intra-class-spread", widths.intra, **facts),
        subject.record(TASK, "inter-class-distance", widths.inter, **facts),
        subject.record(TASK, "intra-inter-ratio", widths.ratio, **(facts | {"unit": "ratio"})),
    ]
    return TaskResult(records, as_arrays({"distances": torch.cdist(means, means), "means": means}))


def class_means(head: Head, features: FeatureSet) -> Tensor:
    """Return the means (K, D) that the head holds, else those of labelled features."""
    if head.class_means is not None:
        return head.class_means
    assert features.y is not None
    sums = torch.zeros(head.num_classes, head.in_features).index_add_(0, features.y, features.z)
    return sums / torch.bincount(features.y, minlength=head.num_classes)[:, None]


def optimal_distance(head: Head) -> float | None:
    """Return the distance between means at the optimum of the head's loss, or None where it has none."""
    try:
        return head.optimal_distance() if isinstance(head, GaussianMixtureHead) else None
    except ValueError:
        return None
