"""An experiment of three quick trainings."""

import dataclasses
from collections.abc import Callable, Iterator

import pytest

from drumlin.recipes.experiment import Experiment
from drumlin.recipes.variants import Published, Variant
from drumlin.settings.run import OptimizerSettings, RunSettings
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification


def measure(subject: Subject) -> Iterator[TaskResult]:
    yield classification(subject)


@pytest.fixture
def settings(small: Callable[..., RunSettings]) -> Callable[[float], RunSettings]:
    """Settings of a quick training at a learning rate."""

    def make(rate: float) -> RunSettings:
        values = small("softmax", "digits:0-2", 0, 0.2, epochs=1)
        training = dataclasses.replace(values.training, optimizer=OptimizerSettings(lr=rate))
        return dataclasses.replace(values, training=training)

    return make


@pytest.fixture
def experiment(settings: Callable[[float], RunSettings]) -> Experiment:
    tuned = Variant("tuned", {"lr=1e-6": settings(1e-6), "lr=0.05": settings(0.05)}, (0, 1), Published(0.25, "Table 9"))
    plain = Variant("plain, 2-D", {"as it is": settings(0.05)}, (4,))
    return Experiment("trial", "smoke", (tuned, plain), measure)
