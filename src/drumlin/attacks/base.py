"""What every attack shares: checks, batches, the model's mode, bounds and what is reported. A new attack fills one hook."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from drumlin.attacks.objective import Objective, Score
from drumlin.features import FeatureRequest, FeatureSet, evaluation_mode
from drumlin.heads._checks import whole
from drumlin.model import Classifier


@dataclass(frozen=True, eq=False)
class AttackResult:
    """What an attack made of N images.

    Attributes:
        x: adversarial images (N, C, H, W) in [0, 1].
        success: (N,) untargeted: the prediction is not y; targeted: it is the target; for an attack that has a detector to pass,
            also that it is passed (`CarliniWagnerDetector`).
        l2: (N,) root mean square distortion ‖x−x_adv‖₂/√(CHW), in units of [0, 1].
        linf: (N,) largest change of a pixel.
        zero_gradient: (N,) whether the first gradient was exactly zero: a saturated loss fakes robustness.
        iterations: (N,) gradients that were computed for the image.
    """

    x: Float[Tensor, "n c h w"]
    success: Bool[Tensor, " n"]
    l2: Float[Tensor, " n"]
    linf: Float[Tensor, " n"]
    zero_gradient: Bool[Tensor, " n"]
    iterations: Int[Tensor, " n"]


class Perturbation(NamedTuple):
    """What the hook of an attack returns: images, not yet clipped, and two facts of `AttackResult`."""

    x: Tensor
    zero_gradient: Tensor
    iterations: Tensor


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """(classifier, x, y) → adversarial x.

    The classifier is attacked in evaluation mode and in its own precision, and is left as it was: modes, buffers, parameters and
    their gradients. Images stay in [0, 1] and in the attack's budget.

    Raises:
        ValueError: a hyperparameter out of range.
    """

    name: ClassVar[str]
    takes_target: ClassVar[bool] = True
    """Whether it can be told which class to go for."""
    takes_score: ClassVar[bool] = False
    """Whether it can be given a detector's score to keep low."""
    needs_score: ClassVar[bool] = False
    """Whether it must be given one."""

    batch_size: int = 500
    """Images at once."""

    def __post_init__(self) -> None:
        whole("batch_size", self.batch_size, 1)

    @property
    def max_change(self) -> float:
        """Budget: the largest change of a pixel; infinite where the attack has no such budget."""
        return math.inf

    @final
    def __call__(
        self,
        classifier: Classifier,
        x: Float[Tensor, "n c h w"],
        y: Int[Tensor, " n"],
        *,
        target: Int[Tensor, " n"] | None = None,
        score: Score | None = None,
        request: FeatureRequest | None = None,
        generator: torch.Generator | None = None,
    ) -> AttackResult:
        """Attack images and report what came of it.

        Args:
            classifier: whom to fool.
            x: images (N, C, H, W) in [0, 1].
            y: true labels (N,). Images that are misclassified already count as successes of an untargeted attack.
            target: classes (N,) to be taken for, other than y; None for an untargeted attack.
            score: (features, classes or None) → anomaly scores (N,), to be kept low at the same time (an adaptive attack):
                `detector.score`. The classes are the targets, None if there are none.
            request: what the score needs beside z and logits: `detector.request`. Dropout draws are anew for every gradient, so
                that steps follow its expectation over them.
            generator: of random choices, of the CPU; torch's global one by default. Which images are attacked together changes
                no choice but those of dropout.

        Returns:
            AttackResult, on the device of x.

        Raises:
            ValueError: images outside [0, 1]; a label or target out of range; a target that is the label; a target or score for
                an attack that takes none; a score that is missing, or has no graph; a loss that is not defined for the head.
        """
        _check(classifier, x, y, target)
        self._check_abilities(target, score)
        device = classifier.device
        batches = zip(*(_split(tensor, self.batch_size, len(x)) for tensor in (x, y, target)), strict=True)
        parts = []
        with evaluation_mode(classifier), _seeded_dropout(generator, request):
            for images, labels, targets in batches:
                assert images is not None
                assert labels is not None
                objective = Objective(
                    classifier,
                    labels.to(device),
                    None if targets is None else targets.to(device),
                    score=score,
                    request=request or FeatureRequest(),
                )
                parts.append(self._attack(objective, images.detach().to(device), generator))
        columns = zip(*parts, strict=True)
        return AttackResult(*(torch.cat(column).to(x.device) for column in columns))

    def prepared(self, score: Score, features: FeatureSet) -> Attack:
        """Return the attack with what it lacks filled in from a score of normal features with labels; most lack nothing."""
        return self

    @abstractmethod
    def _perturb(self, objective: Objective, x: Tensor, generator: torch.Generator | None) -> Perturbation:
        """Return adversarial images, not yet clipped, whether each image's first gradient was exactly zero, and its iterations."""

    def _aim(self, objective: Objective, x: Tensor) -> Objective:
        """Return the objective with what this attack has to say of it: loss, weights, a target of its own."""
        return objective

    def _succeeded(self, objective: Objective, x: Tensor) -> Tensor:
        """Return whether each of the final images (N, C, H, W) does what the attack is for."""
        return objective.reached(x)

    def _attack(self, objective: Objective, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, ...]:
        objective = self._aim(objective, x)
        adversarial, zero_gradient, iterations = self._perturb(objective, x, generator)
        with torch.no_grad():
            adversarial = adversarial.detach()
            if math.isfinite(self.max_change):
                adversarial = x + (adversarial - x).clamp(-self.max_change, self.max_change)
            adversarial = adversarial.clamp(0, 1)
            success = self._succeeded(objective, adversarial)
            change = (adversarial - x).flatten(1)
            largest = change.abs().amax(1) if len(x) else change.new_zeros(0)
            return adversarial, success, change.square().mean(1).sqrt(), largest, zero_gradient, iterations

    def _check_abilities(self, target: Tensor | None, score: Score | None) -> None:
        if target is not None and not self.takes_target:
            raise ValueError(f"target is given, but attack {self.name!r} picks its own: leave it out")
        if score is not None and not self.takes_score:
            raise ValueError(f"score is given, but attack {self.name!r} can keep none low: leave it out")
        if score is None and self.needs_score:
            raise ValueError(f"score is None, but attack {self.name!r} is to pass a detector: give its detector.score")


@contextmanager
def _seeded_dropout(generator: torch.Generator | None, request: FeatureRequest | None) -> Iterator[None]:
    """Let dropout, which knows torch's global generator alone, follow the given one inside the block."""
    if generator is None or request is None or not request.draws:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        yield


def _split(tensor: Tensor | None, size: int, total: int) -> list[Tensor | None]:
    """Return batches of `tensor`, or as many Nones; one empty batch of nothing."""
    return [None] * max(1, -(-total // size)) if tensor is None else list(torch.split(tensor, size))


def _check(classifier: Classifier, x: Tensor, y: Tensor, target: Tensor | None) -> None:
    if not x.is_floating_point() or x.ndim != 4:
        raise ValueError(
            f"x must be floating-point images (N, C, H, W) in [0, 1], got {x.dtype} of shape {tuple(x.shape)}"
        )
    if not bool(((x >= 0) & (x <= 1)).all()):
        raise ValueError(f"x must lie in [0, 1], got values from {float(x.min())} to {float(x.max())}")
    num_classes = classifier.head.num_classes
    for name, classes in (("y", y), ("target", target)):
        if classes is None:
            continue
        if classes.dtype != torch.int64 or classes.shape != x.shape[:1]:
            raise ValueError(
                f"{name} must be int64 classes of shape ({len(x)},), got {classes.dtype} of shape {tuple(classes.shape)}"
            )
        if len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < num_classes:
            low, high = int(classes.min()), int(classes.max())
            raise ValueError(f"{name} must lie in 0..{num_classes - 1}, got {low if low < 0 else high}")
    if target is not None and bool((same := target.cpu() == y.cpu()).any()):
        first = int(same.nonzero()[0])
        raise ValueError(f"target must differ from the true label y, got {int(y[first])} for both of sample {first}")
