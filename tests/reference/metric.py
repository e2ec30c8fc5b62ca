"""Triplet and contrastive loss, one triplet and one pair after the other."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from reference.features import squared

MINING: dict[str, Callable[[float, float, float], bool]] = {
    "semi-hard": lambda positive, negative, margin: positive < negative <= positive + margin,
    "hard": lambda positive, negative, margin: negative <= positive,
    "all": lambda positive, negative, margin: True,
}
"""Whether a triplet counts, from its squared distances and the margin."""


def triplet_loss(z: Tensor, y: Tensor, margin: float, mining: str) -> Tensor:
    """Mean of (‖a−p‖² − ‖a−n‖² + margin)₊ over the triplets that each sample a anchors (N,); 0 without any (I eq. 6)."""
    rows, labels = z.tolist(), y.tolist()
    means = []
    for a, anchor in enumerate(rows):
        losses = []
        for p, positive in enumerate(rows):
            for n, negative in enumerate(rows):
                if p == a or labels[p] != labels[a] or labels[n] == labels[a]:
                    continue
                near, far = squared(anchor, positive), squared(anchor, negative)
                if MINING[mining](near, far, margin):
                    losses.append(max(0.0, near - far + margin))
        means.append(sum(losses) / max(1, len(losses)))
    return torch.tensor(means, dtype=torch.float64)


def contrastive_loss(z: Tensor, y: Tensor, margin: float) -> Tensor:
    """Mean over the other samples of ½ d² in one's class and ½ (margin − d)₊² outside (N,); 0 without any."""
    rows, labels = z.tolist(), y.tolist()
    means = []
    for a, anchor in enumerate(rows):
        losses = []
        for b, other in enumerate(rows):
            distance = math.sqrt(squared(anchor, other))
            if b != a:
                losses.append(0.5 * (distance if labels[b] == labels[a] else max(0.0, margin - distance)) ** 2)
        means.append(sum(losses) / max(1, len(losses)))
    return torch.tensor(means, dtype=torch.float64)
