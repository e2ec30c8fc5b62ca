"""How well scores tell the test split from what the model has never seen, and what a calibrated refusal does with both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drumlin.data import ImageFiles, Images, load_ood
from drumlin.detectors import create_detector, detectors_for
from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet
from drumlin.metrics.detection import bootstrap, detection_metrics
from drumlin.metrics.intervals import false_alarm_interval, wilson
from drumlin.refusal import Conformal
from drumlin.tasks.base import Subject, TaskResult, as_arrays
from drumlin.tasks.shown import Kind, ShownSet, features_of

TASK = "detection"
REFUSAL = "refusal"
PROTOCOL = "all-test-samples"


def anomalous_sets(
    subject: Subject, specs: Sequence[str], *, root: str | None = None, download: bool = False
) -> dict[str, ShownSet]:
    """Return out-of-distribution sets by their names, brought to the model's channels and size, with their features.

    Raises:
        ValueError: a set that is not there, or unknown.
    """
    like = subject.run.test_images()
    sets: dict[str, Images | ImageFiles] = {
        spec: load_ood(spec, like, root=root, download=download, seed=subject.run.settings.seed) for spec in specs
    }
    return {spec: ShownSet(Kind.OUT_OF_DISTRIBUTION, subject.features(images), images) for spec, images in sets.items()}


def anomalous_features(
    subject: Subject, specs: Sequence[str], *, root: str | None = None, download: bool = False
) -> dict[str, FeatureSet]:
    """Return the features of `anomalous_sets`."""
    return features_of(anomalous_sets(subject, specs, root=root, download=download))


def fit_detectors(subject: Subject, names: Sequence[str] | None = None) -> dict[str, Detector]:
    """Return detectors by name, fitted to the training features; all that fit the head by default."""
    run = subject.run
    head = run.classifier.head
    training = subject.features(run.train_images())
    return {name: create_detector(name).fit(training, head=head) for name in names or detectors_for(head)}


def detection(
    subject: Subject,
    anomalies: Mapping[str, FeatureSet],
    detectors: Mapping[str, Detector],
    *,
    repeats: int = 200,
) -> TaskResult:
    """Measure every detector on every set of anomalies against the whole test split, with bootstrap intervals.

    Args:
        subject: the run.
        anomalies: name → features: out-of-distribution sets, attacked images.
        detectors: name → fitted detector.
        repeats: bootstrap draws.

    Returns:
        Records of AUROC, AUPR either way, FPR at 95% TPR (anomalies positive), EER, and TPR at 1% and 5% FPR; arrays of scores,
        `DETECTOR/test` and `DETECTOR/ANOMALY`.
    """
    if not anomalies:
        raise ValueError("detection needs at least one set of anomalies, got none: name some with --ood or --attack")
    subject.begin()
    test = subject.features(subject.run.test_images())
    records, arrays = [], {}
    for name, detector in detectors.items():
        normal = detector.score(test)
        arrays[f"{name}/test"] = normal
        for anomaly, features in anomalies.items():
            scores = detector.score(features)
            arrays[f"{name}/{anomaly}"] = scores
            values = detection_metrics(normal.numpy(), scores.numpy())
            intervals = bootstrap(normal.numpy(), scores.numpy(), repeats=repeats, seed=subject.run.settings.seed)
            for metric, value in values.items():
                low, high = intervals[metric]
                facts = {"split": "test", "detector": name, "anomaly": anomaly, "protocol": PROTOCOL}
                interval = {"ci_low": low, "ci_high": high, "unit": "fraction", "n": len(normal) + len(scores)}
                records.append(subject.record(TASK, metric, value, **facts, **interval))
    return TaskResult(records, as_arrays(arrays))


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
    test = subject.features(subject.run.test_images())
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
