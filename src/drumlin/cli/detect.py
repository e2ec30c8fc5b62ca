"""drumlin detect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from drumlin.cli._parsing import choose
from drumlin.cli._runs import RunFlags, calibrated, report_refusals, update_map
from drumlin.cli._tables import percent, table
from drumlin.results import Record


@dataclass(kw_only=True)
class Detect(RunFlags):
    """Measure how well scores tell the test images from other sets (--ood), or from attacked ones (--attack NAME)."""

    ood: tuple[str, ...] = ()
    """Sets the model has not seen: NAME, NAME:CLASSES, folder:PATH, noise or inverted."""
    detectors: tuple[str, ...] = ()
    """Detectors; by default all that fit the run's head."""
    target: Literal["untargeted", "second", "random"] = "untargeted"
    """What the attack goes for: any other class, the most probable of them, or one at random."""
    limit: int | None = None
    """Only the first so many test images are attacked."""


def run(words: Sequence[str]) -> int:
    """Measure, store, and print AUROC and FPR at 95% TPR a detector and set."""
    from drumlin.cli._attacks import NO_ATTACK, label, parse_with_attack
    from drumlin.detectors import detectors_for
    from drumlin.tasks.detection import anomalous_sets, detection, fit_detectors
    from drumlin.tasks.robustness import attack_test_images
    from drumlin.tasks.shown import features_of

    flags, attack = parse_with_attack(Detect, words, name="detect", default=NO_ATTACK)
    if attack is None and (flags.limit is not None or flags.target != "untargeted"):
        raise ValueError("--limit and --target say how to attack: name an attack with --attack fgsm, or leave them out")
    subject = flags.subject()
    known = detectors_for(subject.run.classifier.head)
    names = choose("detector for this head", flags.detectors or known, known)
    if not flags.ood and attack is None:
        raise ValueError(
            "nothing to detect: name sets with --ood (e.g. --ood noise inverted), or an attack with --attack fgsm"
        )
    predictor = calibrated(subject)
    sets = anomalous_sets(subject, flags.ood, root=flags.data_root, download=flags.download)
    if attack is not None:
        attacked = attack_test_images(subject, attack, target=flags.target, limit=flags.limit)
        sets[label(attack, flags.target, flags.limit)] = attacked.shown
    result = detection(subject, features_of(sets), fit_detectors(subject, names))
    result.store(subject.run.folder, "detection")
    print(_table(result.records))
    if predictor is not None:
        print()
        report_refusals(subject, sets, predictor)
    update_map(subject, sets)
    return 0


def _table(records: Sequence[Record]) -> str:
    values = {(r.detector, r.anomaly, r.metric): r for r in records}
    rows = []
    for detector, anomaly in dict.fromkeys((r.detector, r.anomaly) for r in records):
        auroc, fpr = values[detector, anomaly, "auroc"], values[detector, anomaly, "fpr95"]
        interval = f"{percent(auroc.ci_low)} to {percent(auroc.ci_high)}"
        rows.append([detector, anomaly, percent(auroc.value), interval, percent(fpr.value)])
    return table(["detector", "anomalies", "AUROC", "95% interval", "FPR at 95% TPR"], rows)
