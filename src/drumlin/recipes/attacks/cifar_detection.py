"""CIFAR-10's attacked images told by what detectors there are: T Table 7's lower half and Fig. 5."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drumlin.attacks import BIM, FGSM, ILCM, CarliniWagner
from drumlin.recipes import needs
from drumlin.recipes.attacks import mnist_detection
from drumlin.recipes.attacks.semi_white_box import Effort, measure, show, variants
from drumlin.recipes.attacks.semi_white_box_figures import draw
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.scales import CIFAR10, setting
from drumlin.results.record import Scale
from drumlin.settings.heads import HeadSettings, head_settings
from drumlin.tasks.base import Subject, TaskResult

ABOUT = "CIFAR-10: attacked images told by six detectors (T Table 7, Fig. 5), and unknown ones"

HEADS: dict[str, HeadSettings] = {
    "softmax": head_settings("softmax"),
    "rce": head_settings("rce"),
    "gm": head_settings("gm", margin=0.3),
}
"""T takes a margin of 0.3 for CIFAR-10."""

EFFORTS: dict[Scale, dict[str, Effort]] = {
    "cpu": {
        "fgsm": Effort(FGSM(epsilon=0.1), 1000, 500),
        "bim": Effort(BIM(epsilon=0.1), 1000, 500),
        "bim-0.2": Effort(BIM(epsilon=0.2), 1000, 500),
        "ilcm": Effort(ILCM(epsilon=0.2), 1000, 500),
        "cw": Effort(CarliniWagner(lr=0.01, steps=100, binary_search_steps=4, batch_size=100), 200, 100),
        "cw-hc": Effort(CarliniWagner(lr=0.01, steps=100, binary_search_steps=4, kappa=10, batch_size=100), 200, 100),
    },
    "paper": mnist_detection.EFFORTS["paper"],
    "smoke": mnist_detection.EFFORTS["smoke"],
}
"""Scale → name in records → what is done: as on MNIST, on fewer images where a gradient costs more."""

UNKNOWN = {"cifar10": ("textures", "noise"), "digits": ("noise",)}
"""Data → sets the models have not seen."""

_TABLE_7: dict[tuple[str, str], dict[str, float]] = {
    ("softmax", "k-density"): {"fgsm": 71.2, "bim": 60.2, "ilcm": 85.4, "cw": 76.5},
    ("softmax dropout", "k-density-uncertainty"): {"fgsm": 72.2, "bim": 81.1, "ilcm": 93.3, "cw": 92.2},
    ("softmax", "i-defender"): {"fgsm": 87.6, "bim": 79.0},
    ("softmax", "lid"): {"fgsm": 82.4, "bim": 82.5},
    ("rce", "k-density"): {"fgsm": 98.0, "bim": 97.6, "ilcm": 93.9, "cw": 98.2},
    ("gm", "k-density"): {"fgsm": 99.3, "bim": 98.6, "ilcm": 98.9, "cw": 99.2},
}


FEATURES: dict[Scale, dict[str, Any]] = {
    "cpu": {"feature_dim": 64},
    "paper": {"feature_dim": 64, "linear": False},
    "smoke": {"feature_dim": 64},
}
"""Scale → the features: at paper scale those that ResNet-32 has itself, at CPU scale a linear map of them, which T has not."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: four models of 64-D features."""
    chosen = setting(CIFAR10, scale)

    def measured(subject: Subject) -> Iterator[TaskResult]:
        return measure(subject, EFFORTS[scale], UNKNOWN[chosen.data])

    published = _TABLE_7 if chosen.data == "cifar10" else {}
    rows = variants(chosen, HEADS, published, "T Table 7", **FEATURES[scale])
    unknown = needs.sets(UNKNOWN[chosen.data])
    return Experiment("cifar-detection", scale, tuple(rows), measured, draw, show, needs=unknown)
