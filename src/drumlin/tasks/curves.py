"""What can be measured of a model after every epoch of its training, without the test split's images."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
import torch

from drumlin.data import AnyImages
from drumlin.data.pairs import Pairs
from drumlin.features import extract
from drumlin.functional import center_loss, nearest
from drumlin.metrics.neighbours import majority
from drumlin.metrics.verification import best_threshold, count_right, folded_accuracy
from drumlin.model import Classifier

_TRAINING = 5_000
_K = 5


def nearness(classifier: Classifier, training: AnyImages, holdout: AnyImages) -> dict[str, float]:
    """Return how near held-out features lie to the training features of their class.

    Args:
        classifier: in evaluation mode.
        training: images that are trained on; the first 5,000 count.
        holdout: images that are not.

    Returns:
        `neighbour_error`, the share of held-out images that the majority of their 5 nearest training features classifies wrong, and
        `center_loss`, the mean of ½‖z − c_y‖², c the means of these training features. Nothing where nothing is held out.

    Source: I Fig. 5 (k = 5), Fig. 6; there of test images.
    """
    if len(holdout) == 0:
        return {}
    known = extract(classifier, training.subset(torch.arange(min(_TRAINING, len(training)))))
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


def pair_error(
    classifier: Classifier, pairs: Pairs, threshold: Pairs | None = None, *, root: str | os.PathLike[str] | None = None
) -> float:
    """Return the share of pairs that the Euclidean distance of their features tells wrong.

    Args:
        classifier: in evaluation mode.
        pairs: to measure on.
        threshold: pairs to choose the threshold on; without these that of each fold comes from the others.
        root: the data root.

    Raises:
        ValueError: an image that cannot be decoded; without `threshold`, pairs without folds; features that are not finite.

    Source: I Fig. 7.
    """
    found, same = _distances(classifier, pairs, root), pairs.same.numpy()
    if threshold is None:
        return 1 - folded_accuracy(found, same, pairs.fold.numpy()).mean
    cut = best_threshold(_distances(classifier, threshold, root), threshold.same.numpy())
    return 1 - count_right(found, same, cut) / len(pairs)


def _distances(classifier: Classifier, pairs: Pairs, root: str | os.PathLike[str] | None) -> npt.NDArray[np.float64]:
    inputs = classifier.inputs
    z = extract(classifier, pairs.images(channels=inputs.channels, size=inputs.size, root=root)).z.double()
    return np.asarray(torch.linalg.vector_norm(z[pairs.index[:, 0]] - z[pairs.index[:, 1]], dim=1))
