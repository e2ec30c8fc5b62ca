"""What an attack climbs: a loss of the classifier, less a weighted anomaly score, and its gradient by the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from drumlin.features import FeatureRequest, FeatureSet, feature_set
from drumlin.heads import Head, HeadOutput, IsotropicHead, MetricHead
from drumlin.model import Classifier

_T = TypeVar("_T")
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


_COMPARE_IMAGES = (IsotropicHead, MetricHead)
"""Heads whose loss of an image is made of the other images of its batch, too, and so is moved by attacking those."""


def _head_loss(head: Head, features: FeatureSet, y: Tensor) -> Tensor:
    """Return the head's own loss as in training, with margin, without moving its step counters or other buffers.

    Raises:
        ValueError: the loss compares the images of a batch.
    """
    if isinstance(head, _COMPARE_IMAGES):
        raise ValueError(
            f"loss 'head' is not defined for a {type(head).__name__}: its loss compares the images of a batch with one another,"
            " so that none has a loss of its own; use loss 'ce' or 'margin'"
        )
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


def image_gradient(
    x: Float[Tensor, "n c h w"], value: Callable[[Tensor], tuple[Tensor, _T]]
) -> tuple[Float[Tensor, "n c h w"], _T]:
    """Return the gradient of each image's value by the image; gradients of parameters are left alone.

    Args:
        x: images (N, C, H, W).
        value: images → (values (N,), anything else), where an image's value depends on no other image.

    Returns:
        The gradient, and the second thing that `value` returned.

    Raises:
        ValueError: it is not finite.

    >>> image_gradient(torch.ones(1, 1, 1, 2), lambda x: (x.square().sum((1, 2, 3)), "and more"))
    (tensor([[[[2., 2.]]]]), 'and more')
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        values, more = value(x)
        # A sum, for a mean would divide gradients by N, and small ones underflow.
        (gradient,) = torch.autograd.grad(values.sum(), x)
    if not bool(gradient.isfinite().all()):
        raise ValueError("the gradient of the loss by the images is not finite: the classifier's weights are damaged")
    return gradient, more


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

    def subset(self, indices: Int[Tensor, " m"]) -> Objective:
        """Return the objective of the images `indices`."""
        target = None if self.target is None else self.target[indices]
        return dataclasses.replace(self, y=self.y[indices], target=target)

    def features(self, x: Float[Tensor, "n c h w"]) -> FeatureSet:
        """Return the features of images, with their graph if they are to have one, and what the score needs beside."""
        return feature_set(self.classifier, x, hidden=self.request.hidden, draws=self.request.draws)

    def classification(self, features: FeatureSet) -> Float[Tensor, " n"]:
        """Return J (N,) without the score. With the margin loss it is above 0 where the attack has reached its class."""
        loss, head = _LOSSES[self.loss], self.classifier.head
        return loss(head, features, self.y) if self.target is None else -loss(head, features, self.target)

    def anomaly(self, features: FeatureSet, classes: Int[Tensor, " n"] | None = None) -> Float[Tensor, " n"]:
        """Return the score (N,) of features, conditioned on `classes`, by default the target where there is one.

        Raises:
            ValueError: no score was given; or it has another shape, or no graph where one is needed.
        """
        if self.score is None:
            raise ValueError("score is None: give the anomaly score to be kept low, such as detector.score")
        score = self.score(features, self.target if classes is None else classes)
        if score.shape != features.z.shape[:1] or (torch.is_grad_enabled() and not score.requires_grad):
            raise ValueError(
                f"score must return differentiable values of shape {tuple(features.z.shape[:1])}, got shape {tuple(score.shape)}"
                f" with requires_grad={score.requires_grad}: only detectors with `differentiable` can be attacked"
            )
        return score

    def value(self, features: FeatureSet) -> Float[Tensor, " n"]:
        """Return J (N,) of features.

        Raises:
            ValueError: the score has no graph, or another shape; a loss that is not defined for the head.
        """
        value = self.classification(features)
        return value if self.score is None else value - self.score_weight * self.anomaly(features)

    def gradient(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return ∂J/∂x of each image.

        Raises:
            ValueError: it is not finite, or what `value` refuses.
        """
        return image_gradient(x, lambda images: (self.value(self.features(images)), None))[0]

    def reached_by(self, features: FeatureSet) -> Bool[Tensor, " n"]:
        """Return whether each prediction is the target, or without targets not the true label (N,).

        Raises:
            ValueError: logits that are not finite.
        """
        if not bool(features.logits.isfinite().all()):
            raise ValueError("the logits of attacked images are not finite: the classifier's weights are damaged")
        return features.prediction != self.y if self.target is None else features.prediction == self.target

    @torch.no_grad()
    def reached(self, x: Float[Tensor, "n c h w"]) -> Bool[Tensor, " n"]:
        """Return `reached_by` of the features of images."""
        return self.reached_by(feature_set(self.classifier, x))
