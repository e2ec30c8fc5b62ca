"""MNIST under an attacker who knows the detector, and after transfer: T Table 10, and MNIST's half of T Table 11."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from drumlin.attacks import CarliniWagnerDetector
from drumlin.recipes.attacks.mnist_detection import FEATURES, ROWS
from drumlin.recipes.attacks.white_box import Plan, Row, measure, show, variants
from drumlin.recipes.classification.mnist_heads import HEADS
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.scales import MNIST, setting
from drumlin.results.record import Scale
from drumlin.settings.backbones import backbone_settings
from drumlin.tasks.base import Subject, TaskResult

ABOUT = "MNIST under C&W that knows the detector, and its images on another model (T Tables 10 and 11)"

PLANS: dict[Scale, Plan] = {
    "cpu": Plan(CarliniWagnerDetector(lr=0.05, batch_size=200), 200, 1000, backbone_settings("fast-28", width=24), 10),
    "paper": Plan(
        CarliniWagnerDetector(lr=0.001, steps=10_000),
        10_000,
        5000,
        backbone_settings("resnet-56", linear=False, feature_dim=64),
        50,
    ),
    "smoke": Plan(
        CarliniWagnerDetector(steps=20, lr=0.1, binary_search_steps=2),
        20,
        40,
        backbone_settings("digits-cnn", width=16),
        3,
    ),
}
"""Scale → what is done. Fifty draws, as KD+BU has them by default, would make the attack on dropout take five times
as long as ten, with which the whole measurement takes a quarter of an hour on one core."""

_PUBLISHED = {
    "softmax": Row(55.6, 18.42, 98.8, 94.4),
    "rce": Row(67.9, 31.59, 86.9, 96.7),
    "gm": Row(84.9, 42.29, 68.1, 98.6),
}


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: the models of mnist-detection; at paper scale ResNet-32, and ResNet-56."""
    chosen = setting(MNIST, scale)
    if scale == "paper":
        chosen = dataclasses.replace(chosen, backbone="resnet-32")

    def measured(subject: Subject) -> Iterator[TaskResult]:
        return measure(subject, PLANS[scale])

    published = _PUBLISHED if chosen.data == "mnist" else {}
    rows = variants(
        chosen, {name: HEADS[name] for name in ROWS}, published, ("T Table 10", "T Table 11"), **FEATURES[scale]
    )
    return Experiment("mnist-white-box", scale, tuple(rows), measured, show=show)
