"""Towards what an image looks least like."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from drumlin.attacks.bim import BIM
from drumlin.attacks.objective import Objective
from drumlin.attacks.targets import least_probable


@dataclass(frozen=True, kw_only=True)
class ILCM(BIM):
    """Iterative least-likely class method: BIM towards the class that the untouched image is least probable in, the true one apart.

    It picks its target itself, and succeeds where that class is predicted.

    Raises:
        ValueError: epsilon outside [0, 1], step not above 0, or steps below 1; when called: a target.

    >>> import torch
    >>> from torch import nn
    >>> from drumlin.model import Classifier
    >>> linear = nn.Linear(2, 3, bias=False)
    >>> linear.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    >>> classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), linear), "1", channels=1)
    >>> result = ILCM(epsilon=0.5)(classifier, torch.tensor([[[[0.75, 0.25]]]]), torch.tensor([0]))
    >>> [round(pixel, 2) for pixel in result.x.flatten().tolist()], bool(result.success)  # towards class 2, which is out of reach
    ([0.55, 0.05], False)

    Source: Kurakin et al., Adversarial Examples in the Physical World, 2017, §2.3; T §4.4 (20 steps of 0.01, as of BIM). Differs: of a
    misclassified image the least probable class may be the true one, which is no target; the next one is.
    """

    name: ClassVar[str] = "ilcm"
    takes_target: ClassVar[bool] = False

    def _aim(self, objective: Objective, x: Tensor) -> Objective:
        target = least_probable(objective.classifier, x, objective.y, batch_size=max(1, len(x)))
        return dataclasses.replace(super()._aim(objective, x), target=target)
