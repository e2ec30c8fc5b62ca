"""An adaptive attack with several weights of the score, of which each image gets the best."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from drumlin.attacks.base import AttackResult
from drumlin.attacks.gradient import AdaptiveAttack
from drumlin.attacks.objective import Score
from drumlin.features import FeatureRequest, evaluation_mode, feature_set
from drumlin.model import Classifier

_A = TypeVar("_A", bound=AdaptiveAttack)


@dataclass(frozen=True, eq=False)
class SweepResult(AttackResult):
    """The strongest result of each image over a sweep of weights.

    Attributes:
        weight: the weight (N,) it was found with.
        score: its anomaly score (N,), conditioned on the target or, without, on the predicted class.
        iterations: gradients that were computed for the image, at all weights together.
        zero_gradient: that of the weight chosen.
    """

    weight: Float[Tensor, " n"]
    score: Float[Tensor, " n"]


def sweep_weights(
    attack: _A,
    weights: Iterable[float],
    classifier: Classifier,
    x: Float[Tensor, "n c h w"],
    y: Int[Tensor, " n"],
    *,
    score: Score,
    target: Int[Tensor, " n"] | None = None,
    request: FeatureRequest | None = None,
    generator: torch.Generator | None = None,
) -> SweepResult:
    """Attack with every weight of the score, and return the strongest result of each image.

    Strongest is success before failure, then the least score, then the earliest weight: a detector is as good as it is against
    the weight that is worst for it, which differs from image to image.

    Args:
        attack: whose `score_weight` is replaced.
        weights: what by, at least one.
        classifier, x, y, score, target, request, generator: as in `Attack.__call__`.

    Raises:
        ValueError: no weight, one that is negative or not finite, or what the attack refuses.

    >>> from torch import nn
    >>> from drumlin.attacks import FGSM
    >>> linear = nn.Linear(1, 2, bias=False)
    >>> linear.weight.data = torch.tensor([[-1.0], [1.0]])
    >>> classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), linear), "1", channels=1)
    >>> x, y = torch.full((1, 1, 1, 1), 0.5), torch.tensor([1])
    >>> result = sweep_weights(FGSM(), [0.0, 10.0], classifier, x, y, score=lambda features, classes: features.logits[:, 0])
    >>> float(result.weight), float(result.x)  # the score grows with the loss here, and is made least by going the other way
    (10.0, 0.6...)

    Source: Carlini et al., On Evaluating Adversarial Robustness, 2019; Tramèr et al., On Adaptive Attacks to Adversarial
    Example Defenses, NeurIPS 2020.
    """
    results = []
    for weight in weights:
        weighted = dataclasses.replace(attack, score_weight=weight)
        result = weighted(classifier, x, y, target=target, score=score, request=request, generator=generator)
        scores = _scores(classifier, result.x, target, score, request or FeatureRequest(), attack.batch_size)
        columns = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
        results.append(SweepResult(**columns, weight=torch.full_like(scores, weight), score=scores))
    if not results:
        raise ValueError("weights must be at least one weight of the score, got none")
    best = results[0]
    for other in results[1:]:
        better = (other.success & ~best.success) | ((other.success == best.success) & (other.score < best.score))
        best = _choose(better, other, best)
    return dataclasses.replace(best, iterations=torch.stack([result.iterations for result in results]).sum(0))


def _choose(better: Tensor, other: SweepResult, best: SweepResult) -> SweepResult:
    """Return of each image the result of `other` where it is better, else of `best`."""
    columns = {}
    for field in dataclasses.fields(best):
        new, old = getattr(other, field.name), getattr(best, field.name)
        columns[field.name] = torch.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
    return SweepResult(**columns)


@torch.no_grad()
def _scores(
    classifier: Classifier,
    x: Tensor,
    target: Tensor | None,
    score: Score,
    request: FeatureRequest,
    batch_size: int,
) -> Tensor:
    device = classifier.device
    parts = []
    with evaluation_mode(classifier):
        for place, images in enumerate(torch.split(x, batch_size)):
            features = feature_set(classifier, images.to(device), hidden=request.hidden, draws=request.draws)
            of_batch = slice(place * batch_size, place * batch_size + len(images))
            parts.append(score(features, None if target is None else target[of_batch].to(device)))
    return torch.cat(parts).to(x.device)
