"""How well the nearest training features tell the class of test features."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from drumlin.functional import nearest
from drumlin.metrics.intervals import wilson
from drumlin.metrics.neighbours import majority
from drumlin.tasks.base import Subject, TaskResult

TASK = "neighbours"
KS = (1, 5, 10)
"""Numbers of neighbours where none are asked for."""
VARIANTS: dict[str, Callable[[Tensor], Tensor]] = {"as they are": lambda z: z, "L2-normalised": F.normalize}
"""What is done to features before distances are taken; the name is in the records' protocol."""


def neighbours(subject: Subject, ks: Sequence[int] | None = None) -> TaskResult:
    """Measure the accuracy of k-nearest-neighbour classification of the test features by the training features.

    The hold-out is not among the neighbours. Euclidean distance in float64; the majority decides, and where classes have as many votes
    that of the nearest neighbour.

    Args:
        subject: the run.
        ks: numbers of neighbours, each at least 1; None for those of 1, 5 and 10 that there are training images for: a warning names
            the others.

    Returns:
        For features as they are and of length 1 a record a k, with a Wilson interval and the protocol "k=5, features as they are".

    Raises:
        ValueError: no k, one below 1, or one above the number of training images.

    Source: I Table 3, Fig. 5; it does not say whether features are normalised, nor how ties are decided.
    """
    subject.begin()
    images = subject.run.train_images()
    if ks is None:
        ks = _possible(len(images))
    if not ks or min(ks) < 1:
        raise ValueError(f"ks must be numbers of neighbours, each at least 1, got {list(ks)}")
    if max(ks) > len(images):
        raise ValueError(f"ks must be at most the {len(images)} images that were trained on, got {max(ks)}")
    train, test = subject.features(images), subject.features(subject.run.test_images())
    assert train.y is not None
    assert test.y is not None
    records = []
    for name, prepared in VARIANTS.items():
        places = nearest(prepared(test.z), prepared(train.z), max(ks), dtype=torch.float64)
        classes = train.y[places].numpy()
        for k in dict.fromkeys(ks):
            right = int((majority(classes[:, :k]) == test.y.numpy()).sum())
            low, high = wilson(right, len(test))
            facts = {"split": "test", "n": len(test), "unit": "fraction", "ci_low": low, "ci_high": high}
            protocol = f"k={k}, features {name}"
            records.append(subject.record(TASK, "accuracy", right / len(test), protocol=protocol, **facts))
    return TaskResult(records)


def _possible(images: int) -> list[int]:
    """Return the usual numbers of neighbours of which so many training images have enough."""
    most = [k for k in KS if k > images]
    if most:
        warnings.warn(f"{' and '.join(map(str, most))} neighbours are not measured: {images} images were trained on")
    return [k for k in KS if k <= images]
