"""How well scores tell the test split from what the model has never seen, and what a calibrated refusal does with both."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from torch import Tensor

from drumlin.data import ImageFiles, Images, load_ood
from drumlin.detectors import create_detector, detectors_for
from drumlin.detectors.base import Detector
from drumlin.features import FeatureRequest, FeatureSet
from drumlin.metrics.bootstrap import bootstrap
from drumlin.metrics.detection import METRICS, detection_metrics
from drumlin.metrics.intervals import false_alarm_interval, wilson
from drumlin.refusal import Conformal
from drumlin.results import Record
from drumlin.tasks.base import Subject, TaskResult, as_arrays
from drumlin.tasks.shown import Kind, ShownSet, features_of

TASK = "detection"
REFUSAL = "refusal"
PROTOCOL = "all-test-samples"


@dataclass(frozen=True, eq=False)
class Known:
    """What detectors with a regression are fitted to beside the training images: none of it is of the test split.

    Attributes:
        anomalies: features of anomalies, such as attacked held-out images.
        normals: features of held-out images as they are.
    """

    anomalies: FeatureSet
    normals: FeatureSet


Hyperparameters = Mapping[str, Mapping[str, Any]]
"""Name of a detector → what it is made with; its defaults where nothing is said."""


def request_to_fit(
    subject: Subject, names: Iterable[str], hyperparameters: Hyperparameters | None = None
) -> FeatureRequest:
    """Return what features must have for these detectors to be fitted: all hidden layers where one needs any; draws for `Known`."""
    made = [create_detector(name, **(hyperparameters or {}).get(name, {})) for name in names]
    needs = {what for detector in made for what in detector.requires}
    draws = max((getattr(detector, "draws", 0) for detector in made), default=0)
    return FeatureRequest(subject.run.classifier.hidden_names() if "hidden" in needs else (), draws)


def request_to_score(detectors: Iterable[Detector]) -> FeatureRequest:
    """Return what features must have for all of these fitted detectors to score them."""
    return reduce(or_, (detector.request for detector in detectors), FeatureRequest())


def anomalous_sets(
    subject: Subject,
    specs: Sequence[str],
    *,
    request: FeatureRequest | None = None,
    root: str | None = None,
    download: bool = False,
) -> dict[str, ShownSet]:
    """Return out-of-distribution sets by their names, brought to the model's channels and size, with their features.

    Args:
        subject: the run.
        specs: names of sets.
        request: what the features must have beside; see `request_to_score`.
        root: folder of the data sets.
        download: download what is not there.

    Raises:
        ValueError: a set that is not there, or unknown.
    """
    like = subject.run.test_images()
    sets: dict[str, Images | ImageFiles] = {
        spec: load_ood(spec, like, root=root, download=download, seed=subject.run.settings.seed) for spec in specs
    }
    return {
        spec: ShownSet(Kind.OUT_OF_DISTRIBUTION, subject.features(images, request), images)
        for spec, images in sets.items()
    }


def anomalous_features(subject: Subject, specs: Sequence[str], **others: Any) -> dict[str, FeatureSet]:
    """Return the features of `anomalous_sets`, which see for the arguments."""
    return features_of(anomalous_sets(subject, specs, **others))


def fit_detectors(
    subject: Subject,
    names: Sequence[str] | None = None,
    *,
    known: Known | None = None,
    hyperparameters: Hyperparameters | None = None,
) -> dict[str, Detector]:
    """Return detectors by name, fitted to the training features.

    Args:
        subject: the run.
        names: None for all that fit the head and need nothing else; those that these training images do not do for, e.g. since a
            class has a single one, are left out with a warning.
        known: for detectors with a regression; with the features that `request_to_fit` says.
        hyperparameters: of those that are not to have their defaults.

    Raises:
        ValueError: a named detector cannot be fitted, or has no such hyperparameter.
    """
    head = subject.run.classifier.head
    wanted = list(names or detectors_for(head))
    made = hyperparameters or {}
    request = request_to_fit(subject, wanted, made)
    # Nobody needs draws of training images, which would be most of the work.
    training = subject.features(subject.run.train_images(), FeatureRequest(request.hidden))
    given = {} if known is None else {"anomalies": known.anomalies, "normals": known.normals}
    fitted = {}
    for name in wanted:
        try:
            fitted[name] = create_detector(name, **made.get(name, {})).fit(training, head=head, **given)
        except ValueError as error:
            if names:
                raise
            warnings.warn(f"detector {name} is left out: {error}", stacklevel=2)
    return fitted


def detection(
    subject: Subject,
    anomalies: Mapping[str, FeatureSet],
    detectors: Mapping[str, Detector],
    *,
    fitted_to: str | None = None,
    repeats: int = 200,
) -> TaskResult:
    """Measure every detector on every set of anomalies against the whole test split, with bootstrap intervals.

    Args:
        subject: the run.
        anomalies: name → features: out-of-distribution sets, attacked images.
        detectors: name → fitted detector.
        fitted_to: what those with a regression have seen of anomalies, for the protocol of their records.
        repeats: bootstrap draws.

    Returns:
        Records of AUROC, AUPR either way, FPR at 95% TPR (anomalies positive), EER, and TPR at 1% and 5% FPR; arrays of scores,
        `DETECTOR/test` and `DETECTOR/ANOMALY`.
    """
    if not anomalies:
        raise ValueError("detection needs at least one set of anomalies, got none: name some with --ood or --attack")
    subject.begin()
    test = subject.features(subject.run.test_images(), request_to_score(detectors.values()))
    records, arrays = [], {}
    for name, detector in detectors.items():
        normal = detector.score(test)
        arrays[f"{name}/test"] = normal
        said = f", fitted to {fitted_to}" if fitted_to is not None and "anomalies" in detector.requires else ""
        for anomaly, features in anomalies.items():
            scores = detector.score(features)
            arrays[f"{name}/{anomaly}"] = scores
            facts = {"detector": name, "anomaly": anomaly, "protocol": PROTOCOL + said}
            records += compared(subject, normal, scores, repeats=repeats, **facts)
    return TaskResult(records, as_arrays(arrays))


def compared(subject: Subject, normal: Tensor, anomalous: Tensor, *, repeats: int = 200, **facts: str) -> list[Record]:
    """Return a record of each detection metric, with its bootstrap interval.

    Without any anomalous or normal sample there is nothing to compare, and the records have no number.

    Args:
        subject: the run.
        normal: scores (N,) of test images.
        anomalous: scores (M,).
        repeats: bootstrap draws.
        facts: further fields of the records.
    """
    common = {"split": "test", "unit": "fraction", "n": len(normal) + len(anomalous)} | facts
    if len(normal) == 0 or len(anomalous) == 0:
        return [subject.record(TASK, metric, None, **common) for metric in METRICS]
    pair = normal.numpy(), anomalous.numpy()
    intervals = bootstrap(*pair, repeats=repeats, seed=subject.run.settings.seed)
    return [
        subject.record(TASK, metric, value, ci_low=intervals[metric][0], ci_high=intervals[metric][1], **common)
        for metric, value in detection_metrics(*pair).items()
    ]


def refusal(
    subject: Subject, anomalies: Mapping[str, FeatureSet], detector: Detector, conformal: Conformal
) -> TaskResult:
    """Measure what a calibrated refusal refuses: of the test split (false alarms) and of each set of anomalies.

    The interval of the false alarms is the beta-binomial one, in which they lie if calibration and test samples are
    exchangeable; it is about the rate asked for, not about the rate found. The other intervals are Wilson's.

    Returns:
        Records; arrays of scores as those of `detection`, to be stored with them.
    """
    subject.begin()
    test = subject.features(subject.run.test_images(), detector.request)
    scores = {name: detector.score(features) for name, features in {"test": test, **anomalies}.items()}
    level = conformal.false_alarm
    facts = {"split": "test", "detector": detector.name, "protocol": f"false-alarm={level:g}", "unit": "fraction"}
    refused = ~conformal.accepts(scores["test"])
    low, high = false_alarm_interval(len(conformal.scores), len(test), level)
    asked = {"ci_low": low, "ci_high": high, "published": level, "published_source": "rate asked for"}
    records = [
        subject.record(
            REFUSAL, "refused", int(refused.sum()) / len(refused), anomaly="test", n=len(test), **asked, **facts
        )
    ]
    for anomaly, features in anomalies.items():
        refused = ~conformal.accepts(scores[anomaly])
        low, high = wilson(int(refused.sum()), len(features))
        share = int(refused.sum()) / len(refused)
        interval = {"ci_low": low, "ci_high": high, "n": len(features)}
        records.append(subject.record(REFUSAL, "refused", share, anomaly=anomaly, **interval, **facts))
    return TaskResult(records, as_arrays({f"{detector.name}/{name}": values for name, values in scores.items()}))
