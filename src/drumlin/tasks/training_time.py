"""How long a training took."""

from __future__ import annotations

from drumlin.tasks.base import Subject, TaskResult

TASK = "training"


def training_time(subject: Subject) -> TaskResult:
    """Read from the run's history how long its epochs took, the evaluation of the hold-out included and
    probes left out, and images a second without both."""
    epochs = subject.run.history
    seconds = sum(epoch["seconds_with_evaluation"] for epoch in epochs)
    rate = sum(epoch["images_per_second"] for epoch in epochs) / len(epochs)
    facts = {"split": "train", "n": len(subject.run.split.train), **subject.trained_with}
    return TaskResult(
        [
            subject.record(TASK, "seconds", seconds, unit="s", **facts),
            subject.record(TASK, "images-per-second", rate, unit="images/s", **facts),
        ]
    )
