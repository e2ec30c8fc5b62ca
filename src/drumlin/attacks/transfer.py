"""Images made on another classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from drumlin._tensors import hash_tensors
from drumlin.attacks.base import Attack, Perturbation
from drumlin.attacks.objective import Objective
from drumlin.model import Classifier


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Transfer(Attack):
    """Black-box attack: adversarial images are made with `attack` on a substitute, and judged on the classifier itself.

    A score given is one of the substitute's features. Success is the classifier's class alone, of an attack that picks its own target
    any class but y. It has no name on the command line, where a classifier cannot be given.

    Args:
        attack: what makes the images.
        substitute: classifier of the same classes that they are made on; left as it was.

    Raises:
        ValueError: when called: the substitute has another number of classes, or what `attack` refuses.

    >>> from torch import nn
    >>> from drumlin.attacks import FGSM
    >>> linear = nn.Linear(1, 2, bias=False)
    >>> linear.weight.data = torch.tensor([[-1.0], [1.0]])
    >>> substitute = Classifier.wrap(nn.Sequential(nn.Flatten(), linear), "1", channels=1)
    >>> linear.bias = nn.Parameter(torch.tensor([0.6, 0.0]))
    >>> classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), linear), "1", channels=1)
    >>> attack = Transfer(attack=FGSM(epsilon=0.25), substitute=substitute)
    >>> result = attack(classifier, torch.full((1, 1, 1, 1), 0.5), torch.tensor([1]))
    >>> float(result.x), bool(result.success)
    (0.25, True)

    Source: Papernot et al., Practical Black-Box Attacks against Machine Learning, 2017; T §4.4.3 (ResNet-32 for ResNet-56).
    """

    name: ClassVar[str] = "transfer"
    takes_score: ClassVar[bool] = True

    attack: Attack
    substitute: Classifier

    def __repr__(self) -> str:
        state = self.substitute.state_dict()
        content = hash_tensors(*state.values(), self.substitute.mean, self.substitute.std, about=repr(self.substitute))
        return f"Transfer(attack={self.attack!r}, substitute={content[:16]}, batch_size={self.batch_size})"

    @property
    def max_change(self) -> float:
        """Budget: that of `attack`."""
        return self.attack.max_change

    def _perturb(self, objective: Objective, x: Tensor, generator: torch.Generator | None) -> Perturbation:
        there, here = self.substitute.head.num_classes, objective.classifier.head.num_classes
        if there != here:
            raise ValueError(f"substitute must have the {here} classes of the classifier, it has {there}")
        made = self.attack(
            self.substitute,
            x,
            objective.y,
            target=objective.target,
            score=objective.score,
            request=objective.request,
            generator=generator,
        )
        return Perturbation(made.x, made.zero_gradient, made.iterations)
