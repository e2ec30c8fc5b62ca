"""How well scores tell attacked test images from untouched ones, and how far a refusal protects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from drumlin.attacks import AdaptiveAttack
from drumlin.detectors.base import Detector
from drumlin.features import FeatureRequest, FeatureSet
from drumlin.metrics.intervals import wilson
from drumlin.refusal import Conformal
from drumlin.tasks.base import Subject, TaskResult, as_arrays
from drumlin.tasks.detection import compared, request_to_score
from drumlin.tasks.robustness import Attacked, attack_images, pick

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


def adapted(
    subject: Subject,
    attack: AdaptiveAttack,
    detector: Detector,
    *,
    weights: Sequence[float] = (0.0, 0.1, 1.0, 10.0),
    limit: int | None = None,
    request: FeatureRequest | None = None,
) -> Attacked:
    """Attack classifier and detector at once with several weights of the score, and keep for each image the strongest result.

    Strongest is success before failure, then the least score, then the first weight. Weights are in nats of loss for half of the
    spread of the held-out images' scores (their interquartile range), since detectors have no unit in common. With 0 among them the
    result is, image by image, no weaker than that of the attack which knows nothing of the detector.

    Args:
        subject: the run.
        attack: what to attack with; its `score_weight` is replaced.
        detector: fitted, with a gradient.
        weights: at least one.
        limit: number of test images; None for all.
        request: what the features must have beside what the detector requests.

    Raises:
        ValueError: no weights; a detector without gradient, or whose scores of held-out images do not differ.
    """
    if not detector.differentiable:
        raise ValueError(f"detector {detector.name!r} has no gradient to follow: it cannot be attacked this way")
    if not weights:
        raise ValueError("weights must be at least one, got none")
    wanted = detector.request | (request or FeatureRequest())
    held_out = detector.score(subject.features(subject.run.holdout_images(), detector.request))
    low, high = held_out.quantile(held_out.new_tensor([0.25, 0.75]))
    if not high > low:
        raise ValueError(
            f"the scores of {detector.name!r} of held-out images do not differ: there is nothing to scale weights by"
        )
    options = [
        attack_images(
            subject,
            dataclasses.replace(attack, score_weight=2 * weight / float(high - low)),
            limit=limit,
            detector=detector,
            request=wanted,
        )
        for weight in weights
    ]
    return strongest(options, detector)


def strongest(options: Sequence[Attacked], detector: Detector) -> Attacked:
    """Return of every image the result that is worst for classifier and detector: success before failure, then the least score.

    Args:
        options: what several attacks made of the same images, with the features that the detector requests.
        detector: fitted.
    """
    scores = torch.stack([detector.score(option.features) for option in options])
    # Success counts for more than any difference of scores: ranks, not sums.
    success = torch.stack([option.success for option in options])
    best = torch.where(success.any(0), torch.where(success, scores, torch.inf).argmin(0), scores.argmin(0))
    return pick(options, best)


def _right(features: FeatureSet, n: int) -> Tensor:
    """Return which of the first n are classified right."""
    assert features.y is not None
    return features.prediction[:n] == features.y[:n]
