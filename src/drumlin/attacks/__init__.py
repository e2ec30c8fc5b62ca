"""Attacks: (classifier, x, y) → adversarial x. One a file."""

from __future__ import annotations

import dataclasses
from typing import Any

from drumlin._io import unknown
from drumlin.attacks.adaptive import SweepResult, sweep_weights
from drumlin.attacks.base import Attack, AttackResult, Perturbation
from drumlin.attacks.bim import BIM
from drumlin.attacks.carlini_wagner import CarliniWagner
from drumlin.attacks.carlini_wagner_detector import CarliniWagnerDetector, median_scores
from drumlin.attacks.fgsm import FGSM
from drumlin.attacks.gradient import AdaptiveAttack, GradientAttack
from drumlin.attacks.ilcm import ILCM
from drumlin.attacks.noise import Noise
from drumlin.attacks.objective import Loss, Objective, Score
from drumlin.attacks.orthogonal_pgd import OrthogonalPGD
from drumlin.attacks.pgd import PGD
from drumlin.attacks.targets import least_probable, random_targets, second_most_probable
from drumlin.attacks.transfer import Transfer

__all__ = [
    "ATTACKS",
    "BIM",
    "FGSM",
    "ILCM",
    "PGD",
    "AdaptiveAttack",
    "Attack",
    "AttackResult",
    "CarliniWagner",
    "CarliniWagnerDetector",
    "GradientAttack",
    "Loss",
    "Noise",
    "Objective",
    "OrthogonalPGD",
    "Perturbation",
    "Score",
    "SweepResult",
    "Transfer",
    "create_attack",
    "least_probable",
    "median_scores",
    "random_targets",
    "second_most_probable",
    "sweep_weights",
]

ATTACKS: dict[str, type[Attack]] = {
    kind.name: kind for kind in (FGSM, BIM, ILCM, PGD, OrthogonalPGD, CarliniWagner, CarliniWagnerDetector, Noise)
}
"""Every attack that its name and hyperparameters make, by its name: all but `Transfer`, which takes another classifier."""


def create_attack(name: str, **hyperparameters: Any) -> Attack:
    """Return the attack called `name`.

    Raises:
        ValueError: an unknown name or hyperparameter, with the nearest ones; or a value out of range.

    >>> create_attack("fgsm", epsilon=0.3).max_change
    0.3
    """
    if name not in ATTACKS:
        raise unknown("attack", name, ATTACKS)
    known = [field.name for field in dataclasses.fields(ATTACKS[name])]
    for given in hyperparameters:
        if given not in known:
            raise unknown(f"hyperparameter of attack {name!r}", given, known)
    return ATTACKS[name](**hyperparameters)
