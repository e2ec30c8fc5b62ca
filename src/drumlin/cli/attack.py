"""drumlin attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from drumlin.cli._parsing import choose
from drumlin.cli._runs import RunFlags, calibrated, report, report_refusals, report_safety, scored_by, update_map


@dataclass(kw_only=True)
class AttackFlags(RunFlags):
    """Measure error, success and distortion under an attack (--attack NAME) on the test images."""

    target: Literal["untargeted", "second", "random"] = "untargeted"
    """What the attack goes for: any other class, the most probable of them, or one at random."""
    limit: int | None = None
    """Only so many test images: the first, or, where they lie class by class as in a folder, spread over all."""
    against: str | None = None
    """A detector, fitted to the training images, whose score the attack is to keep low, too."""


def run(words: Sequence[str]) -> int:
    """Attack, store and print."""
    from drumlin.cli._attacks import AttackLines, label, parse_with_attack
    from drumlin.detectors import detectors_for
    from drumlin.tasks.detection import fit_detectors, request_to_score
    from drumlin.tasks.robustness import attack_images, robustness

    flags, attack = parse_with_attack(AttackFlags, words, name="attack", default="fgsm")
    if attack is None:
        raise ValueError("--attack none leaves nothing to do: name an attack, e.g. --attack fgsm")
    subject = flags.subject()
    detector = None
    if flags.against is not None:
        known = detectors_for(subject.run.classifier.head)
        (detector,) = fit_detectors(subject, choose("detector for this head", [flags.against], known)).values()
    predictor = calibrated(subject)
    name = label(attack, flags.target, flags.limit, flags.against)
    found = attack_images(
        subject,
        attack,
        target=flags.target,
        limit=flags.limit,
        detector=detector,
        request=request_to_score(scored_by(predictor)),
        reporter=AttackLines(),
    )
    report(subject, robustness(subject, found, name, limit=flags.limit), "robustness")
    attacked = {name: found.shown}
    if predictor is not None:
        print()
        report_refusals(subject, attacked, predictor)
        print()
        report_safety(subject, found, name, predictor)
    update_map(subject, attacked)
    return 0
