"""Attacks: (classifier, x, y) → adversarial x. One a file."""

from __future__ import annotations

import dataclasses
from typing import Any

from drumlin._io import unknown
from drumlin.attacks.base import Attack, AttackResult, Perturbation
from drumlin.attacks.fgsm import FGSM
from drumlin.attacks.objective import Loss, Objective, Score
from drumlin.attacks.targets import random_targets, second_most_probable

__all__ = [
    "ATTACKS",
    "FGSM",
    "Attack",
    "AttackResult",
    "Loss",
    "Objective",
    "Perturbation",
    "Score",
    "create_attack",
    "random_targets",
    "second_most_probable",
]

ATTACKS: dict[str, type[Attack]] = {kind.name: kind for kind in (FGSM,)}
"""Every attack by its name."""


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
