"""What an attack climbs: a loss of the classifier, less a weighted anomaly score, and its gradient by the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from drumlin.features import FeatureSet, feature_set
from drumlin.heads import Head, HeadOutput
from drumlin.model import Classifier

Loss = Literal["ce", "head"]
Score = Callable[[FeatureSet], Tensor]
"""Features → anomaly scores (N,), larger = more anomalous, with the graph of the features."""


def _cross_entropy(head: Head, features: FeatureSet, y: Tensor) -> Tensor:
    return F.cross_entropy(features.logits, y, reduction="none")


def _head_loss(head: Head, features: FeatureSet, y: Tensor) -> Tensor:
    """Return the head's own loss as in training, with margin, without moving its step counters or other buffers."""
    buffers = {name: buffer.clone() for name, buffer in head.named_buffers()}
    before = head.training
    head.train()
    try:
        output = cast(HeadOutput, functional_call(head, buffers, (features.z, y)))
    finally:
        head.train(before)
    return torch.stack(list(output.terms.values())).sum(0)


_LOSSES: dict[str, Callable[[Head, FeatureSet, Tensor], Tensor]] = {"ce": _cross_entropy, "head": _head_loss}


def check_loss(loss: str) -> None:
    """Refuse an unknown loss."""
    if loss not in _LOSSES:
        raise ValueError(f"loss must be one of {', '.join(get_args(Loss))}, got {loss!r}")


@dataclass(frozen=True, eq=False)
class Objective:
    """J(x) = loss(x, y) − w·score(x), or −loss(x, target) − w·score(x) if there is a target: an attack ascends J.

    Attributes:
        classifier: in evaluation mode.
        y: true labels (N,).
        target: classes (N,) to be taken for, or None.
        loss: "ce" or "head".
        score: features → anomaly scores (N,), or None.
        score_weight: w.
    """

    classifier: Classifier
    y: Int[Tensor, " n"]
    target: Int[Tensor, " n"] | None
    loss: Loss = "ce"
    score: Score | None = None
    score_weight: float = 1.0

    def value(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Return J (N,) with its graph.

        Raises:
            ValueError: the score has no graph, or another shape.
        """
        features = feature_set(self.classifier, x)
        loss = _LOSSES[self.loss]
        head = self.classifier.head
        value = loss(head, features, self.y) if self.target is None else -loss(head, features, self.target)
        if self.score is None:
            return value
        score = self.score(features)
        if score.shape != value.shape or not score.requires_grad:
            raise ValueError(
                f"score must return differentiable values of shape {tuple(value.shape)}, got shape {tuple(score.shape)}"
                f" with requires_grad={score.requires_grad}: only detectors with `differentiable` can be attacked"
            )
        return value - self.score_weight * score

    def gradient(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return ∂J/∂x of each image; gradients of parameters are left alone.

        Raises:
            ValueError: it is not finite.
        """
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            # A sum, for a mean would divide gradients by N, and small ones underflow.
            (gradient,) = torch.autograd.grad(self.value(x).sum(), x)
        if not bool(gradient.isfinite().all()):
            raise ValueError(
                "the gradient of the loss by the images is not finite: the classifier's weights are damaged"
            )
        return gradient

    @torch.no_grad()
    def reached(self, x: Float[Tensor, "n c h w"]) -> Tensor:
        """Return whether each prediction is the target, or without targets not the true label (N,)."""
        prediction = cast(Tensor, self.classifier(x)).argmax(1)
        return prediction != self.y if self.target is None else prediction == self.target
