"""What an attack climbs: a loss of the classifier, less a weighted anomaly score, and its gradient by the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from drumlin.features import FeatureRequest, FeatureSet, feature_set
from drumlin.heads import Head, HeadOutput
from drumlin.model import Classifier

Loss = Literal["ce", "margin", "head"]
Score = Callable[[FeatureSet, Tensor | None], Tensor]
"""Features, classes (N,) to condition on (None: the predicted ones) → anomaly scores (N,), larger = more anomalous, with the graph
of the features: `Detector.score`."""


def _cross_entropy(head: Head, features: FeatureSet, y: Tensor) -> Tensor:
    return F.cross_entropy(features.logits, y, reduction="none")


def _margin(head: Head, features: FeatureSet, y: Tensor) -> Tensor:
    """Return by how much the best other class is above y: it has no scale, so that it does not saturate as cross entropy does."""
    logits = features.logits
    own = logits.gather(1, y[:, None]).squeeze(1)
    return logits.scatter(1, y[:, None], -torch.inf).amax(1) - own


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


_LOSSES: dict[str, Callable[[Head, FeatureSet, Tensor], Tensor]] = {
    "ce": _cross_entropy,
    "margin": _margin,
    "head": _head_loss,
}


def check_loss(loss: str) -> None:
    """Refuse an unknown loss."""
    if loss not in _LOSSES:
        raise ValueError(f"loss must be one of {', '.join(get_args(Loss))}, got {loss!r}")


@dataclass(frozen=True, eq=False)
class Objective:
    """J(x) = loss(x, y) − w·score(x), or −loss(x, target) − w·score(x, target) if there is a target: an attack ascends J.

    A score is conditioned on the target where there is one, for that is the class which the image is to be a likely member of.

    Attributes:
        classifier: in evaluation mode.
        y: true labels (N,).
        target: classes (N,) to be taken for, or None.
        loss: "ce", "margin" or "head".
        score: (features, classes or None) → anomaly scores (N,), or None.
        score_weight: w.
        request: what the score needs beside z and logits.
    """

    classifier: Classifier
    y: Int[Tensor, " n"]
    target: Int[Tensor, " n"] | None
    loss: Loss = "ce"
    score: Score | None = None
    score_weight: float = 1.0
    request: FeatureRequest = field(default_factory=FeatureRequest)

    def features(self, x: Float[Tensor, "n c h w"]) -> FeatureSet:
        """Return the features of images with their graph, and what the score needs beside."""
        return feature_set(self.classifier, x, hidden=self.request.hidden, draws=self.request.draws)

    def value(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Return J (N,) with its graph.

        Raises:
            ValueError: the score has no graph, or another shape.
        """
        features = self.features(x)
        loss = _LOSSES[self.loss]
        head = self.classifier.head
        value = loss(head, features, self.y) if self.target is None else -loss(head, features, self.target)
        if self.score is None:
            return value
        return value - self.score_weight * self.anomaly(features)

    def anomaly(self, features: FeatureSet) -> Float[Tensor, " n"]:
        """Return the score (N,) of features, conditioned on the target where there is one.

        Raises:
            ValueError: no score was given; or it has no graph, or another shape.
        """
        if self.score is None:
            raise ValueError("score is None: give the anomaly score to be kept low, such as detector.score")
        score = self.score(features, self.target)
        if score.shape != features.z.shape[:1] or not score.requires_grad:
            raise ValueError(
                f"score must return differentiable values of shape {tuple(features.z.shape[:1])}, got shape {tuple(score.shape)}"
                f" with requires_grad={score.requires_grad}: only detectors with `differentiable` can be attacked"
            )
        return score

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
