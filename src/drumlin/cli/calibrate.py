"""drumlin calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drumlin.cli._parsing import choose, parse, progress
from drumlin.cli._runs import RunFlags, report_refusals, update_map


@dataclass(kw_only=True)
class Calibrate(RunFlags):
    """Fit a detector to a run's training images, and set its threshold on the held-out ones."""

    false_alarm: float = 0.01
    """Share of inputs like the training ones that may be refused, in (0, 1)."""
    detector: str = "k-density"
    """Score to refuse by; `drumlin detect` compares them."""


def run(words: Sequence[str]) -> int:
    """Calibrate the run, say what that means, and measure its false alarms on the test images if there are any."""
    from drumlin.detectors import detectors_for
    from drumlin.refusal import Predictor, calibrate
    from drumlin.tasks.detection import fit_detectors

    flags = parse(Calibrate, words, name="calibrate")
    subject = flags.subject()
    classifier = subject.run.classifier
    # A regression on anomalies would have to be fitted to the held-out images, too.
    choose("detector for this head", [flags.detector], detectors_for(classifier.head, ("head", "hidden")))
    detector = fit_detectors(subject, [flags.detector])[flags.detector]
    holdout = subject.features(subject.run.holdout_images(), detector.request)
    conformal = calibrate(classifier, detector, holdout, flags.false_alarm)
    predictor = Predictor(classifier, detector, conformal)
    predictor.save(flags.run, holdout=subject.run.split.holdout)
    print(
        f"{flags.run}: refuses where {flags.detector} exceeds {conformal.threshold:.6g}: {flags.false_alarm:.2%} false alarms,"
        f" by {len(holdout)} held-out images"
    )
    try:
        subject.run.test_images()
    except ValueError as error:
        progress(f"its false alarms on test images are not measured: {error}")
        return 0
    print()
    report_refusals(subject, {}, predictor)
    update_map(subject, {})
    return 0
