"""drumlin attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from drumlin.cli._runs import RunFlags, calibrated, report, report_refusals, update_map


@dataclass(kw_only=True)
class AttackFlags(RunFlags):
    """Measure error, success and distortion under an attack (--attack NAME) on the test images."""

    target: Literal["untargeted", "second", "random"] = "untargeted"
    """What the attack goes for: any other class, the most probable of them, or one at random."""
    limit: int | None = None
    """Only the first so many test images."""


def run(words: Sequence[str]) -> int:
    """Attack, store and print."""
    from drumlin.cli._attacks import label, parse_with_attack
    from drumlin.tasks.robustness import attack_test_images, robustness

    flags, attack = parse_with_attack(AttackFlags, words, name="attack", default="fgsm")
    if attack is None:
        raise ValueError("--attack none leaves nothing to do: name an attack, e.g. --attack fgsm")
    subject = flags.subject()
    predictor, target, limit = calibrated(subject), flags.target, flags.limit
    report(subject, robustness(subject, attack, label(attack, target), target=target, limit=limit), "robustness")
    attacked = {label(attack, target, limit): attack_test_images(subject, attack, target=target, limit=limit).shown}
    if predictor is not None:
        print()
        report_refusals(subject, attacked, predictor)
    update_map(subject, attacked)
    return 0
