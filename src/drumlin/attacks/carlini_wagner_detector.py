"""The least distortion that changes the class and passes a detector."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from drumlin.attacks._descent import Verdict
from drumlin.attacks._least import LeastDistortion, lead_of, rounding
from drumlin.attacks.objective import Objective, Score
from drumlin.features import FeatureSet


@dataclass(frozen=True, kw_only=True)
class CarliniWagnerDetector(LeastDistortion):
    """Carlini & Wagner's attack on classifier and detector, C&W-wb: minimise ‖x'−x‖² + c·(f(x') + w·f₂(x')).

    f₂ = (score(x'; t) − η_t)₊, η_t the threshold; f is that of `CarliniWagner`. The score, which must be given, is conditioned on
    the target t; without a target on the most probable class other than y, which is the one predicted as soon as f = 0. It
    succeeds where the class is reached and f₂ = 0. Images without success are returned as they were.

    Raises:
        ValueError: a hyperparameter out of range; when called: no score, no threshold, or not one a class.

    >>> from torch import nn
    >>> from drumlin.model import Classifier
    >>> linear = nn.Linear(2, 2, bias=False)
    >>> linear.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), linear), "1", channels=1)
    >>> attack = CarliniWagnerDetector(threshold=-0.8)  # logit 1 must be at least 0.8
    >>> x, y, target = torch.tensor([[[[0.7, 0.5]]]]), torch.tensor([0]), torch.tensor([1])
    >>> result = attack(classifier, x, y, target=target, score=lambda features, classes: -features.logits[:, 1])
    >>> [round(pixel, 2) for pixel in result.x.flatten().tolist()], bool(result.success)
    ([0.7, 0.8], True)

    Source: Carlini & Wagner, Adversarial Examples Are Not Easily Detected, AISec 2017; T §4.4.2, whose η is the median of −log KD on
    the training set, and w 1.
    """

    name: ClassVar[str] = "cw-detector"
    needs_score: ClassVar[bool] = True

    threshold: float | tuple[float, ...] | None = None
    """η: the score that passes, one for all classes or one a class. None: still to be filled in by `prepared`, which takes
    `median_scores` (drumlin attack does so, of held-out images)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        values = self.threshold if isinstance(self.threshold, tuple) else (self.threshold,)
        if not values or not all(value is None or math.isfinite(value) for value in values):
            raise ValueError(f"threshold must be a finite score, or one a class, got {self.threshold}")

    def prepared(self, score: Score, features: FeatureSet) -> CarliniWagnerDetector:
        """Return the attack, its threshold if it has none that of `median_scores`."""
        if self.threshold is not None:
            return self
        return dataclasses.replace(self, threshold=median_scores(score, features))

    def _aim(self, objective: Objective, x: Tensor) -> Objective:
        if self.threshold is None:
            raise ValueError(
                "threshold is None: give the score to pass with, e.g. median_scores(detector.score, features)"
            )
        num_classes = objective.classifier.head.num_classes
        if isinstance(self.threshold, tuple) and len(self.threshold) != num_classes:
            raise ValueError(
                f"threshold must be one score, or one for each of {num_classes} classes, got {len(self.threshold)}"
            )
        return dataclasses.replace(super()._aim(objective, x), loss="margin")

    def _judge(self, objective: Objective, features: FeatureSet) -> Verdict:
        penalty, reached = lead_of(objective, features, self.kappa)
        excess, size = self._excess(objective, features)
        passed = excess <= -rounding(size)
        return Verdict(penalty + objective.score_weight * excess.clamp_min(0), None, reached & passed)

    @torch.no_grad()
    def _succeeded(self, objective: Objective, x: Tensor) -> Tensor:
        features = objective.features(x)
        excess, _ = self._excess(objective, features)
        return objective.reached_by(features) & (excess <= 0)

    def _excess(self, objective: Objective, features: FeatureSet) -> tuple[Tensor, Tensor]:
        """Return score − η (N,), and the size of the numbers it is the difference of."""
        classes = objective.target
        if classes is None:
            classes = features.logits.detach().scatter(1, objective.y[:, None], -torch.inf).argmax(1)
        score = objective.anomaly(features, classes)
        threshold = torch.as_tensor(self.threshold, dtype=score.dtype, device=score.device)
        threshold = threshold.expand(features.logits.shape[1])[classes]
        return score - threshold, torch.maximum(score.detach().abs(), threshold.abs())


def median_scores(score: Score, features: FeatureSet) -> tuple[float, ...]:
    """Return for each class the median score of its features, conditioned on it: a threshold that half of the normal images pass.

    T's η is that of the training features. Where a detector keeps these, as K-density does, each is its own nearest neighbour: with a
    narrow bandwidth its score is log |X_y| whatever the others are, and hardly a fresh image passes. Held-out features do not
    have this flaw.

    Args:
        score: `detector.score`.
        features: of normal images, with labels.

    Raises:
        ValueError: no labels, or a class without a sample.

    >>> features = FeatureSet(torch.tensor([[1.0], [2.0], [4.0], [8.0]]), torch.zeros(4, 2), torch.tensor([0, 0, 0, 1]))
    >>> median_scores(lambda features, classes: features.z[:, 0], features)
    (2.0, 8.0)

    Source: T §4.4.2.
    """
    if features.y is None:
        raise ValueError("features must have labels y for the median of each class, got None")
    with torch.no_grad():
        scores: Float[Tensor, " n"] = score(features, features.y)
    medians = []
    for k in range(features.logits.shape[1]):
        of_class = scores[features.y == k]
        if len(of_class) == 0:
            raise ValueError(f"features must have a sample of every class for its median, got none of class {k}")
        medians.append(float(of_class.quantile(0.5)))
    return tuple(medians)
