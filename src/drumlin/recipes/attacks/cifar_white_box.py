"""CIFAR-10 under an attacker who knows the detector, and after transfer: T Table 9, and CIFAR-10's half of T Table 11."""

from __future__ import annotations

from collections.abc import Iterator

from drumlin.attacks import CarliniWagnerDetector
from drumlin.recipes.attacks import mnist_white_box
from drumlin.recipes.attacks.cifar_detection import FEATURES, HEADS
from drumlin.recipes.attacks.white_box import Plan, Row, measure, show, variants
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.scales import CIFAR10, setting
from drumlin.results.record import Scale
from drumlin.settings.backbones import backbone_settings
from drumlin.tasks.base import Subject, TaskResult

ABOUT = "CIFAR-10 under C&W that knows the detector, and its images on another model (T Tables 9 and 11)"

PLANS: dict[Scale, Plan] = {
    "cpu": Plan(
        CarliniWagnerDetector(lr=0.01, steps=100, binary_search_steps=4, batch_size=100),
        100,
        500,
        backbone_settings("fast-32", width=16),
        10,
    ),
    "paper": mnist_white_box.PLANS["paper"],
    "smoke": mnist_white_box.PLANS["smoke"],
}
"""Scale → what is done. At CPU scale the other model is of another kind, too, one that is trained in a quarter of the time."""

_PUBLISHED = {
    "softmax": Row(53.8, 1.26, 100.0, 75.0),
    "rce": Row(64.6, 3.89, 88.0, 84.9),
    "gm": Row(84.3, 7.82, 70.1, 94.7),
}


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: models of 64-D features, those of cifar-detection."""
    chosen = setting(CIFAR10, scale)

    def measured(subject: Subject) -> Iterator[TaskResult]:
        return measure(subject, PLANS[scale])

    published = _PUBLISHED if chosen.data == "cifar10" else {}
    rows = variants(chosen, HEADS, published, ("T Table 9", "T Table 11"), **FEATURES[scale])
    return Experiment("cifar-white-box", scale, tuple(rows), measured, show=show)
