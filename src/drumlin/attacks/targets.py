"""Which class a targeted attack goes for."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from drumlin.features import evaluation_mode
from drumlin.model import Classifier


def random_targets(
    y: Int[Tensor, " n"], num_classes: int, generator: torch.Generator | None = None
) -> Int[Tensor, " n"]:
    """Return for each label another class, each as likely as the next.

    Args:
        y: true labels (N,).
        num_classes: K ≥ 2.
        generator: of the CPU; the global one by default.

    Raises:
        ValueError: K < 2, or a label out of range.

    >>> random_targets(torch.tensor([0, 1, 1]), 2)
    tensor([1, 0, 0])

    Source: T §4.4.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2 for there to be another class, got {num_classes}")
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < num_classes:
        raise ValueError(f"y must lie in 0..{num_classes - 1}, got {int(y.min())} to {int(y.max())}")
    shift = torch.randint(1, num_classes, y.shape, generator=generator).to(y.device)
    return (y + shift) % num_classes


@torch.no_grad()
def second_most_probable(
    classifier: Classifier, x: Float[Tensor, "n c h w"], y: Int[Tensor, " n"] | None = None, *, batch_size: int = 500
) -> Int[Tensor, " n"]:
    """Return the second most probable class of each image; with labels, the most probable of the other classes.

    The two differ for misclassified images alone, whose second most probable class may be the true one: no target.

    Args:
        classifier: is put into evaluation mode meanwhile.
        x: images (N, C, H, W) in [0, 1].
        y: true labels (N,), or None.
        batch_size: images at once.

    Source: L §4.3.
    """
    logits = _logits(classifier, x, batch_size)
    excluded = logits.argmax(1) if y is None else y.to(logits.device)
    return logits.scatter(1, excluded[:, None], -torch.inf).argmax(1).to(x.device)


@torch.no_grad()
def least_probable(
    classifier: Classifier, x: Float[Tensor, "n c h w"], y: Int[Tensor, " n"], *, batch_size: int = 500
) -> Int[Tensor, " n"]:
    """Return the least probable of the classes that an image is not of.

    Args:
        classifier: is put into evaluation mode meanwhile.
        x: images (N, C, H, W) in [0, 1].
        y: true labels (N,), which are no target.
        batch_size: images at once.

    Source: Kurakin et al., Adversarial Examples in the Physical World, 2017, §2.3; T §4.4.
    """
    logits = _logits(classifier, x, batch_size)
    return logits.scatter(1, y.to(logits.device)[:, None], torch.inf).argmin(1).to(x.device)


def _logits(classifier: Classifier, x: Tensor, batch_size: int) -> Tensor:
    device = classifier.device
    with evaluation_mode(classifier):
        return torch.cat([cast(Tensor, classifier(batch.to(device))) for batch in torch.split(x, batch_size)])
