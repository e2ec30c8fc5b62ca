"""What can be measured of a model on the way of its training, without the test split's images."""

from __future__ import annotations

import math
import os

import numpy as np
import numpy.typing as npt
import torch

from drumlin.data import AnyImages, some
from drumlin.data.pairs import Pairs
from drumlin.features import extract
from drumlin.functional import center_loss, nearest
from drumlin.metrics.neighbours import majority
from drumlin.metrics.verification import best_threshold, count_right, folded_accuracy, verification_metrics
from drumlin.model import Classifier

_TRAINING, _EACH = 5_000, 10
_K = 5


def nearness(classifier: Classifier, training: AnyImages, holdout: AnyImages) -> dict[str, float]:
    """Return how near held-out features lie to the training features of their class.

    Args:
        classifier: in evaluation mode.
        training: images that are trained on; 5,000 of them count, or ten a class where that is more.
        holdout: images that are not.

    Returns:
        `neighbour_error`, the share of held-out images that the majority of their 5 nearest training features classifies wrong, and
        `center_loss`, the mean of ½‖z − c_y‖², c the means of these training features. Nothing where nothing is held out.

    Source: I Fig. 5 (k = 5), Fig. 6; there of test images.
    """
    if len(holdout) == 0:
        return {}
    enough = max(_TRAINING, _EACH * classifier.head.num_classes)
    known = extract(classifier, training.subset(some(training.labels, enough)))
    fresh = extract(classifier, holdout)
    assert known.y is not None
    assert fresh.y is not None
    places = nearest(fresh.z, known.z, min(_K, len(known)), dtype=torch.float64)
    wrong = torch.from_numpy(majority(known.y[places].numpy())) != fresh.y
    counts = torch.bincount(known.y, minlength=classifier.head.num_classes)
    sums = torch.zeros(len(counts), known.z.shape[1]).index_add_(0, known.y, known.z)
    centers = sums / counts.clamp_min(1)[:, None]
    seen = counts[fresh.y] > 0
    losses = center_loss(fresh.z[seen], fresh.y[seen], centers).double()
    return {"neighbour_error": float(wrong.double().mean()), "center_loss": float(losses.mean())}


def pair_errors(
    classifier: Classifier, pairs: Pairs, threshold: Pairs | None = None, *, root: str | os.PathLike[str] | None = None
) -> dict[str, float]:
    """Return how many pairs the Euclidean distance of their features, as they are, tells wrong.

    Args:
        classifier: the model.
        pairs: to measure on.
        threshold: pairs to choose the threshold on; without these that of each fold comes from the others.
        root: the data root.

    Returns:
        `pair_error`, the share of pairs on the wrong side of the threshold, and `pair_equal_error_rate`, which needs none. Both are
        NaN where a feature is not finite.

    Raises:
        ValueError: an image that cannot be decoded; without `threshold`, pairs without folds; pairs all of one kind.

    Source: I Fig. 7.
    """
    same = pairs.same.numpy()
    found = _distances(classifier, pairs, root)
    others = None if threshold is None else _distances(classifier, threshold, root)
    if not (np.isfinite(found).all() and (others is None or np.isfinite(others).all())):
        return dict.fromkeys(("pair_error", "pair_equal_error_rate"), math.nan)
    if threshold is None or others is None:
        right = folded_accuracy(found, same, pairs.fold.numpy()).mean
    else:
        right = count_right(found, same, best_threshold(others, threshold.same.numpy())) / len(pairs)
    return {"pair_error": 1 - right, "pair_equal_error_rate": verification_metrics(found, same)["equal-error-rate"]}


def _distances(classifier: Classifier, pairs: Pairs, root: str | os.PathLike[str] | None) -> npt.NDArray[np.float64]:
    inputs = classifier.inputs
    z = extract(classifier, pairs.images(channels=inputs.channels, size=inputs.size, root=root)).z.double()
    return np.asarray(torch.linalg.vector_norm(z[pairs.index[:, 0]] - z[pairs.index[:, 1]], dim=1))
