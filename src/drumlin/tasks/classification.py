"""How often a classifier errs, how honest its probabilities are, and what it takes for what."""

from __future__ import annotations

import torch

from drumlin.metrics.calibration import ece
from drumlin.metrics.intervals import wilson
from drumlin.tasks.base import Subject, TaskResult, as_arrays

TASK = "classification"


def classification(subject: Subject) -> TaskResult:
    """Measure error, top-5 error (from six classes on), expected calibration error and log loss on the test split.

    Returns:
        Records with Wilson intervals for the errors; array `confusion` (K, K), rows true, columns predicted, in samples.

    Raises:
        ValueError: the data has no test split, or is not there.

    Probabilities under GM are honest about the margin, not about the error: at its optimum the true class has 1 − r, not 1.
    """
    subject.begin()
    features = subject.features(subject.run.test_images())
    assert features.y is not None
    y, logits, n = features.y, features.logits, len(features)
    num_classes = logits.shape[1]
    facts = {"split": "test", "n": n}
    records = []

    def error_rate(metric: str, wrong: int) -> None:
        low, high = wilson(wrong, n)
        interval = {"ci_low": low, "ci_high": high}
        records.append(subject.record(TASK, metric, wrong / n, unit="fraction", **interval, **facts))

    error_rate("error", int((features.prediction != y).sum()))
    if num_classes > 5:
        best = logits.topk(5, dim=1).indices
        error_rate("top5-error", n - int((best == y[:, None]).any(1).sum()))
    probabilities = logits.double().softmax(1).numpy()
    records.append(subject.record(TASK, "ece", ece(probabilities, y.numpy()), unit="fraction", **facts))
    # from the logits: a probability may be 0 in float64 where its logarithm is far from infinite
    log_loss = float(torch.nn.functional.cross_entropy(logits.double(), y))
    records.append(subject.record(TASK, "nll", log_loss, unit="nats", **facts))
    confusion = torch.bincount(y * num_classes + features.prediction, minlength=num_classes**2)
    return TaskResult(records, as_arrays({"confusion": confusion.view(num_classes, num_classes)}))
