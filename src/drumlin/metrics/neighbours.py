"""What the nearest neighbours of a sample say of its class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def majority(classes: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the class most frequent among the neighbours of each sample; of several such, that of the nearest neighbour.

    Args:
        classes: (N, k) integers, the classes of k neighbours, the nearest first.

    Returns:
        (N,). scikit-learn decides a tie for the smallest label instead, which favours the first classes.

    Raises:
        ValueError: not an array (N, k) of integers with k at least 1.

    Source: Cover and Hart 1967.

    >>> majority([[3, 1, 1], [3, 1, 2]]).tolist()
    [1, 3]
    """
    found = np.asarray(classes)
    if found.ndim != 2 or not found.shape[1] or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"classes must be integers (samples, neighbours), not {found.dtype} of shape {found.shape}")
    votes = np.stack([(found == column[:, None]).sum(1) for column in found.T], axis=1)
    # The first place with the most votes is the nearest neighbour of a winning class.
    return np.asarray(found[np.arange(len(found)), votes.argmax(1)], dtype=np.int64)
