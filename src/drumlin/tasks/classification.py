"""How often a classifier errs, how honest its probabilities are, and what it takes for what."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from drumlin.data.windows import crops as windows
from drumlin.features import evaluation_mode
from drumlin.metrics.calibration import ece
from drumlin.metrics.intervals import wilson
from drumlin.tasks.base import Subject, TaskResult, as_arrays
from drumlin.training.runs import load_for

TASK = "classification"

_BATCH = 100  # images at a time, each with all of its windows in memory


def classification(subject: Subject, *, crops: int = 1, margin: int = 0) -> TaskResult:
    """Measure error, top-5 error (from six classes on), expected calibration error and log loss on the test split.

    With a margin, images are brought to so many pixels more than the network takes, and windows of its size are cut out of them;
    an image's posterior is the mean of its windows'. Nothing of that is kept in the run's `features/`.

    Args:
        subject: the run.
        crops: windows an image: 1, the centre, or 10, the corners, the centre and these five mirrored.
        margin: in pixels along each axis; 0 for images of the network's own size. ImageNet's custom is 32: 224 of 256.

    Returns:
        Records with Wilson intervals for the errors, which have the protocol "10-crop of 256x256" if windows were cut; if none
        were, array `confusion` (K, K), rows true, columns predicted, in samples.

    Raises:
        ValueError: the data has no test split, or is not there; other `crops` than 1 and 10; ten without a margin; a negative one.

    Probabilities under GM are honest about the margin, not about the error: at its optimum the true class has 1 − r, not 1.
    """
    subject.begin()
    facts: dict[str, object] = {"split": "test"}
    whole = (crops, margin) == (1, 0)
    if whole:
        features = subject.features(subject.run.test_images())
        assert features.y is not None
        y, logits = features.y, features.logits
    else:
        y, logits, facts["protocol"] = _of_windows(subject, crops, margin)
    n, num_classes = logits.shape
    prediction = logits.argmax(1)
    facts["n"] = n
    records = []

    def error_rate(metric: str, wrong: int) -> None:
        low, high = wilson(wrong, n)
        interval = {"ci_low": low, "ci_high": high}
        records.append(subject.record(TASK, metric, wrong / n, unit="fraction", **interval, **facts))

    error_rate("error", int((prediction != y).sum()))
    if num_classes > 5:
        best = logits.topk(5, dim=1).indices
        error_rate("top5-error", n - int((best == y[:, None]).any(1).sum()))
    probabilities = logits.double().softmax(1).numpy()
    records.append(subject.record(TASK, "ece", ece(probabilities, y.numpy()), unit="fraction", **facts))
    # from the logits: a probability may be 0 in float64 where its logarithm is far from infinite
    log_loss = float(torch.nn.functional.cross_entropy(logits.double(), y))
    records.append(subject.record(TASK, "nll", log_loss, unit="nats", **facts))
    if not whole:
        return TaskResult(records)
    confusion = torch.bincount(y * num_classes + prediction, minlength=num_classes**2)
    return TaskResult(records, as_arrays({"confusion": confusion.view(num_classes, num_classes)}))


@torch.no_grad()
def _of_windows(subject: Subject, crops: int, margin: int) -> tuple[Tensor, Tensor, str]:
    """Return labels, logarithms of the mean posteriors of each test image's windows, and the protocol's name."""
    if margin < 0:
        raise ValueError(f"margin is {margin}; it is a number of pixels, at least 0")
    run = subject.run
    classifier, size = run.classifier, run.classifier.inputs.size
    assert size is not None, "a trained run has an image size"
    larger = (size[0] + margin, size[1] + margin)
    images = load_for(run.settings.data, "test", dataclasses.replace(classifier.inputs, size=larger))
    device = classifier.device
    labels, posteriors = [], []
    with evaluation_mode(classifier):
        for x, y in images.batches(_BATCH):
            views = [classifier(view.to(device)).float().log_softmax(1).cpu() for view in windows(x, size, crops)]
            posteriors.append(torch.stack(views).logsumexp(0) - math.log(crops))
            labels.append(y)
    return torch.cat(labels), torch.cat(posteriors), f"{crops}-crop of {larger[0]}x{larger[1]}"
