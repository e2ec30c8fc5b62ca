"""How well scores tell attacked test images from untouched ones, and how far a refusal protects."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet
from drumlin.metrics.intervals import wilson
from drumlin.refusal import Conformal
from drumlin.tasks.base import Subject, TaskResult, as_arrays
from drumlin.tasks.detection import compared, request_to_score
from drumlin.tasks.robustness import Attacked

ALL = "all-attacked"
SUCCESSFUL = "right-before-and-fooled"
TASK = "safety"


def adversarial_detection(
    subject: Subject,
    attacked: Mapping[str, Attacked],
    detectors: Mapping[str, Detector],
    *,
    protocol: str | None = None,
    repeats: int = 200,
) -> TaskResult:
    """Measure every detector on attacked test images against the same images untouched, under two protocols.

    `all-attacked`: every attacked image is an anomaly, also where the attack failed, and every untouched one is normal.
    `right-before-and-fooled`: those images alone that the model gets right untouched and the attack succeeds with, on both sides;
    as in Pang et al.'s code. Where there are none, the records have no number.

    Args:
        subject: the run.
        attacked: name → what an attack made of the first test images, with the features that the detectors request.
        detectors: name → fitted detector.
        protocol: what else decides the numbers, e.g. what a regression was fitted on; put behind the protocol's name.
        repeats: bootstrap draws.

    Returns:
        Records of the metrics of `detection`; arrays of scores, `DETECTOR/test` and `DETECTOR/ATTACK`.
    """
    subject.begin()
    untouched = subject.features(subject.run.test_images(), request_to_score(detectors.values()))
    records, arrays = [], {}
    for name, detector in detectors.items():
        normal = detector.score(untouched)
        arrays[f"{name}/test"] = normal
        for attack, found in attacked.items():
            scores = detector.score(found.features)
            arrays[f"{name}/{attack}"] = scores
            own, fooled = normal[: len(scores)], _right(untouched, len(scores)) & found.success
            for kind, chosen in ((ALL, torch.ones_like(fooled)), (SUCCESSFUL, fooled)):
                whole = kind if protocol is None else f"{kind}, {protocol}"
                facts = {"detector": name, "anomaly": attack, "protocol": whole}
                records += compared(subject, own[chosen], scores[chosen], repeats=repeats, **facts)
    return TaskResult(records, as_arrays(arrays))


def safety(subject: Subject, attacked: Mapping[str, Attacked], detector: Detector, conformal: Conformal) -> TaskResult:
    """Measure the share of attacked images that do no harm: classified right, or refused.

    Args:
        subject: the run.
        attacked: name → what an attack made of the first test images, e.g. with rising strength.
        detector: what the refusal goes by.
        conformal: calibrated with it.

    Returns:
        For each attack and for the test images untouched a record of the share that is right or refused, and of the share that is
        refused, with Wilson intervals.
    """
    subject.begin()
    test = subject.features(subject.run.test_images(), detector.request)
    sets: dict[str | None, FeatureSet] = {None: test, **{name: found.features for name, found in attacked.items()}}
    records = []
    for name, features in sets.items():
        refused = ~conformal.accepts(detector.score(features))
        safe = refused | _right(features, len(features))
        facts = {"split": "test", "detector": detector.name, "anomaly": name, "unit": "fraction", "n": len(features)}
        for metric, which in (("right-or-refused", safe), ("refused", refused)):
            count = int(which.sum())
            low, high = wilson(count, len(features))
            protocol = f"false-alarm={conformal.false_alarm:g}"
            interval = {"ci_low": low, "ci_high": high, "protocol": protocol}
            records.append(subject.record(TASK, metric, count / len(features), **facts, **interval))
    return TaskResult(records)


def _right(features: FeatureSet, n: int) -> Tensor:
    """Return which of the first n are classified right."""
    assert features.y is not None
    return features.prediction[:n] == features.y[:n]
