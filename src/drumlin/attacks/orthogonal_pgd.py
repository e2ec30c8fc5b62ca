"""Projected gradient descent on classifier and detector by turns, each without undoing what was won of the other."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from drumlin.attacks._iterated import check_walk, random_start, step_size
from drumlin.attacks._streams import Streams
from drumlin.attacks.base import Attack, Perturbation
from drumlin.attacks.objective import Loss, Objective, check_loss, image_gradient
from drumlin.model import widest_float


@dataclass(frozen=True, kw_only=True)
class OrthogonalPGD(Attack):
    """Orthogonal projected gradient descent: against the classifier as long as it holds, then against the detector, in an ε ball.

    There is no weight between the two: at every step the image either needs another class, and the loss is climbed, or it has one, and
    the score is descended. Orthogonal steps leave out of either gradient what lies along the other's; where nothing but rounding is
    left of it, the whole gradient is followed. A step is along the sign of what is left, which is not quite orthogonal any more: of
    gradients that are nearly parallel it still moves both. Of all places on the way, those of all restarts, the best counts: success
    before failure, then the least score. Success is that of the class alone.

    Raises:
        ValueError: epsilon outside [0, 1], step not above 0, steps or restarts below 1, or an unknown loss.

    >>> from torch import nn
    >>> from drumlin.model import Classifier
    >>> linear = nn.Linear(2, 2)
    >>> linear.weight.data = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    >>> linear.bias.data = torch.tensor([0.9, 0.0])  # class 1 is where the first pixel is above 0.45, ...
    >>> classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), linear), "1", channels=1)
    >>> def score(features, classes):  # ... and normal is where the second one is 0.4
    ...     return (features.z[:, 1] - 0.4).square()
    >>> x, y = torch.full((1, 1, 1, 2), 0.5), torch.tensor([1])
    >>> result = OrthogonalPGD(epsilon=0.25)(classifier, x, y, score=score)
    >>> bool(result.success), round(float(result.x[0, 0, 0, 1]), 1)
    (True, 0.4)

    Source: Bryniarski et al., Evading Adversarial Example Detection Defenses with Orthogonal Projected Gradient Descent, ICLR 2022;
    there `orthogonal=False` is called selective. They begin at the image itself, and turn to the detector once the other logit is
    ahead by 0.05; here starts are drawn from the ball, as in `PGD`, and any lead will do.
    """

    name: ClassVar[str] = "orthogonal-pgd"
    takes_score: ClassVar[bool] = True
    needs_score: ClassVar[bool] = True

    epsilon: float = 0.1
    """Largest change of a pixel, as a share of the range [0, 1]."""
    step: float | None = None
    """Change of every pixel by one step; None: 2.5 ε / steps, which leads from anywhere in the ball to anywhere in it."""
    steps: int = 100
    """Number of steps of a restart, whichever of the two they are for."""
    restarts: int = 1
    """Number of starts."""
    loss: Loss = "ce"
    """What is climbed for y, or descended for the target, until the class is reached: ce, margin or head."""
    orthogonal: bool = True
    """Whether either gradient is freed of what lies along the other."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_walk(self.epsilon, self.step, self.steps, self.restarts)
        check_loss(self.loss)

    @property
    def max_change(self) -> float:
        """Budget: ε."""
        return self.epsilon

    def _aim(self, objective: Objective, x: Tensor) -> Objective:
        return dataclasses.replace(objective, loss=self.loss)

    def _perturb(self, objective: Objective, x: Tensor, generator: torch.Generator | None) -> Perturbation:
        streams = Streams(x, generator)
        step = step_size(self.epsilon, self.step, self.steps)
        best = _Best(x)
        zero_gradient = best.reached
        for restart in range(self.restarts):
            adversarial = random_start(x, self.epsilon, streams)
            for number in range(self.steps):
                here = _look(objective, adversarial)
                best.offer(adversarial, here.reached, here.score)
                direction = self._direction(here)
                if restart == number == 0:
                    zero_gradient = (direction == 0).flatten(1).all(1)
                change = adversarial + step * direction.sign() - x
                adversarial = (x + change.clamp_(-self.epsilon, self.epsilon)).clamp_(0, 1)
            with torch.no_grad():
                features = objective.features(adversarial)
                best.offer(adversarial, objective.reached_by(features), objective.anomaly(features))
        gradients = 2 * self.restarts * self.steps
        return Perturbation(best.x, zero_gradient, torch.full_like(objective.y, gradients))

    def _direction(self, here: _Place) -> Tensor:
        """Return where each image is to go."""
        up, down = here.loss_gradient, -here.score_gradient
        if self.orthogonal:
            up, down = (
                _without(own, other, here.rounding)
                for own, other in ((up, here.score_gradient), (down, here.loss_gradient))
            )
        return torch.where(here.reached[:, None, None, None], down, up)


class _Place(NamedTuple):
    """What there is at a place on the way: of each image whether its class is reached, its score, and both gradients.

    `rounding` is how much of a gradient may be rounding, relative to its norm.
    """

    reached: Bool[Tensor, " n"]
    score: Float[Tensor, " n"]
    loss_gradient: Float[Tensor, "n c h w"]
    score_gradient: Float[Tensor, "n c h w"]
    rounding: float


_ROUNDING = {"float32": 1e-4, "bfloat16": 3e-2}
"""Precision of the products → `_Place.rounding`. Of gradients that are parallel but for rounding 2e-6 and 1e-2 are left."""


def _look(objective: Objective, x: Float[Tensor, "n c h w"]) -> _Place:
    def both(images: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        features = objective.features(images)
        score = objective.anomaly(features)
        # The graph is needed for the second gradient.
        (of_score,) = torch.autograd.grad(score.sum(), images, retain_graph=True)
        return objective.classification(features), (objective.reached_by(features), score.detach(), of_score)

    of_loss, (reached, score, of_score) = image_gradient(x, both)
    if not bool(of_score.isfinite().all()):
        raise ValueError("the gradient of the score by the images is not finite: its detector is damaged")
    return _Place(reached, score, of_loss, of_score, _ROUNDING[objective.classifier.precision])


def _without(
    gradient: Float[Tensor, "n c h w"], other: Float[Tensor, "n c h w"], rounding: float
) -> Float[Tensor, "n c h w"]:
    """Return the direction of what is orthogonal to the other in each image's gradient; its own where that is nothing but rounding.

    Lengths are lost: only directions count.
    """
    own, along = (_unit(each.flatten(1)) for each in (gradient, other))
    rest = own - (own * along).sum(1, keepdim=True) * along
    left = rest.norm(dim=1, keepdim=True) > rounding
    return torch.where(left, rest, own).reshape(gradient.shape)


def _unit(rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Return rows of length 1, whatever their size; those of zeros as they are."""
    rows = rows / rows.abs().amax(1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
    unit: Tensor = rows / rows.norm(dim=1, keepdim=True).clamp_min(1)
    return unit


class _Best:
    """The best of the places that each image has been at: success before failure, then the least score, then the earliest."""

    def __init__(self, x: Float[Tensor, "n c h w"]) -> None:
        self.x = x
        self.reached = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        self._score = torch.full((len(x),), torch.inf, dtype=widest_float(x.device), device=x.device)

    def offer(self, x: Float[Tensor, "n c h w"], reached: Bool[Tensor, " n"], score: Float[Tensor, " n"]) -> None:
        """Keep what is better."""
        score = score.to(self._score.dtype)
        better = (reached & ~self.reached) | ((reached == self.reached) & (score < self._score))
        self.x = torch.where(better[:, None, None, None], x, self.x)
        self._score = torch.where(better, score, self._score)
        self.reached = self.reached | reached
