"""drumlin detect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from drumlin.cli._parsing import choose
from drumlin.cli._runs import RunFlags, calibrated, report, report_refusals, scored_by, update_map, warn_if_weak
from drumlin.cli._tables import percent, table
from drumlin.results import Record

if TYPE_CHECKING:
    from drumlin.features import FeatureRequest
    from drumlin.tasks import Subject
    from drumlin.tasks.detection import Known

_KNOWN = 1000
"""Held-out images that are attacked, at most."""


@dataclass(kw_only=True)
class Detect(RunFlags):
    """Measure how well scores tell the test images from other sets (--ood), or from attacked ones (--attack NAME)."""

    ood: tuple[str, ...] = ()
    """Sets the model has not seen: NAME, NAME:CLASSES, folder:PATH, noise or inverted."""
    detectors: tuple[str, ...] = ()
    """Detectors; by default all that fit the run's head and need nothing but its training images."""
    fit_on: str = "fgsm"
    """The attack, with its default settings, on held-out images that detectors with a regression are fitted to."""
    target: Literal["untargeted", "second", "random"] = "untargeted"
    """What the attack goes for: any other class, the most probable of them, or one at random."""
    limit: int | None = None
    """Only so many test images are attacked: the first, or, where they lie class by class as in a folder, spread over all."""


def run(words: Sequence[str]) -> int:
    """Measure, store, and print AUROC and FPR at 95% TPR a detector and set."""
    from drumlin.attacks import ATTACKS, create_attack
    from drumlin.cli._attacks import NO_ATTACK, label, parse_with_attack
    from drumlin.detectors import detectors_for
    from drumlin.tasks.detection import anomalous_sets, detection, fit_detectors, request_to_fit, request_to_score
    from drumlin.tasks.robustness import attack_images, robustness
    from drumlin.tasks.shown import features_of

    flags, attack = parse_with_attack(Detect, words, name="detect", default=NO_ATTACK)
    if attack is None and (flags.limit is not None or flags.target != "untargeted"):
        raise ValueError("--limit and --target say how to attack: name an attack with --attack fgsm, or leave them out")
    subject = flags.subject()
    head = subject.run.classifier.head
    known = detectors_for(head, ("head", "hidden", "draws", "anomalies"))
    names = choose("detector for this head", flags.detectors or detectors_for(head), known)
    seen = choose("attack", [flags.fit_on], [name for name, kind in ATTACKS.items() if not kind.needs_score])[0]
    if not flags.ood and attack is None:
        raise ValueError(
            "nothing to detect: name sets with --ood (e.g. --ood noise inverted), or an attack with --attack fgsm"
        )
    predictor = calibrated(subject)
    request = request_to_fit(subject, names) | request_to_score(scored_by(predictor))
    sets = anomalous_sets(subject, flags.ood, request=request, root=flags.data_root, download=flags.download)
    success = None
    if attack is not None:
        attacked = attack_images(subject, attack, target=flags.target, limit=flags.limit, request=request)
        name = label(attack, flags.target, flags.limit)
        sets[name] = attacked.shown
        success = robustness(subject, attacked, name, limit=flags.limit)
    detectors = fit_detectors(subject, names if flags.detectors else None, known=_known(subject, names, seen, request))
    result = detection(subject, features_of(sets), detectors, fitted_to=label(create_attack(seen)))
    result.store(subject.run.folder, "detection")
    print(_table(result.records))
    if success is not None:
        print()
        report(subject, success, "robustness")
    warn_if_weak(subject)
    if predictor is not None:
        print()
        report_refusals(subject, sets, predictor)
    update_map(subject, sets)
    return 0


def _known(subject: Subject, names: Sequence[str], attack: str, request: FeatureRequest) -> Known | None:
    """Return attacked held-out images and as many as they are, if a detector needs them."""
    from drumlin.attacks import create_attack
    from drumlin.detectors import DETECTORS
    from drumlin.tasks.detection import Known
    from drumlin.tasks.robustness import attack_images

    if not any("anomalies" in DETECTORS[name].requires for name in names):
        return None
    found = attack_images(subject, create_attack(attack), limit=_KNOWN, holdout=True, request=request)
    return Known(found.features, subject.features(subject.run.holdout_images(), request))


def _table(records: Sequence[Record]) -> str:
    values = {(r.detector, r.anomaly, r.metric): r for r in records}
    rows = []
    for detector, anomaly in dict.fromkeys((r.detector, r.anomaly) for r in records):
        auroc, fpr = values[detector, anomaly, "auroc"], values[detector, anomaly, "fpr95"]
        interval = f"{percent(auroc.ci_low)} to {percent(auroc.ci_high)}"
        rows.append([detector, anomaly, percent(auroc.value), interval, percent(fpr.value)])
    return table(["detector", "anomalies", "AUROC", "95% interval", "FPR at 95% TPR"], rows)
