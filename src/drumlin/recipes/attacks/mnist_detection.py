"""MNIST's attacked images told by what detectors there are: T Table 7's upper half, and who else is fooled by which attack."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from drumlin.attacks import BIM, FGSM, ILCM, CarliniWagner
from drumlin.recipes import needs
from drumlin.recipes.attacks.semi_white_box import Effort, measure, show, variants
from drumlin.recipes.attacks.semi_white_box_figures import draw
from drumlin.recipes.classification.mnist_heads import HEADS
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.scales import MNIST, setting
from drumlin.results.record import Scale
from drumlin.tasks.base import Subject, TaskResult

ABOUT = "MNIST: attacked images told by six detectors (T Table 7, and Fig. 5 for it), and unknown ones"
ROWS = ("softmax", "rce", "gm")

EFFORTS: dict[Scale, dict[str, Effort]] = {
    "cpu": {
        "fgsm": Effort(FGSM(epsilon=0.1), None, 1000),
        "bim": Effort(BIM(epsilon=0.1), None, 1000),
        "bim-0.2": Effort(BIM(epsilon=0.2), None, 1000),
        "ilcm": Effort(ILCM(epsilon=0.2), None, 1000),
        "cw": Effort(CarliniWagner(lr=0.05, batch_size=200), 200, 200),
        "cw-hc": Effort(CarliniWagner(lr=0.05, kappa=10, batch_size=200), 200, 200),
    },
    "paper": {
        "fgsm": Effort(FGSM(epsilon=0.1), None, 5000),
        "bim": Effort(BIM(epsilon=0.1), None, 5000),
        "bim-0.2": Effort(BIM(epsilon=0.2), None, 5000),
        "ilcm": Effort(ILCM(epsilon=0.2), None, 5000),
        "cw": Effort(CarliniWagner(lr=0.001, steps=10_000), None, 1000),
        "cw-hc": Effort(CarliniWagner(lr=0.001, steps=10_000, kappa=10), None, 1000),
    },
    "smoke": {
        "fgsm": Effort(FGSM(epsilon=0.1), 60, 60),
        "bim": Effort(BIM(epsilon=0.1, steps=3, step=0.05), 60, 60),
        "cw": Effort(CarliniWagner(steps=20, lr=0.1, binary_search_steps=2), 20, 20),
    },
}
"""Scale → name in records → what is done. T gives ε = 0.1 for FGSM, and for BIM and ILCM 20 steps of 0.01, which can go as far as
0.2; BIM is done with both. Of C&W it gives neither the first c nor the number of steps; ours are `CarliniWagner`'s."""

UNKNOWN = {"mnist": ("fashion-mnist", "omniglot", "noise"), "digits": ("noise",)}
"""Data → sets the models have not seen."""

_TABLE_7: dict[tuple[str, str], dict[str, float]] = {
    ("softmax", "k-density"): {"fgsm": 90.2, "bim": 90.3, "ilcm": 95.8, "cw": 97.6},
    ("softmax dropout", "k-density-uncertainty"): {"fgsm": 90.6, "bim": 97.2, "ilcm": 87.4, "cw": 97.9},
    ("softmax", "i-defender"): {"fgsm": 96.4, "bim": 97.6},
    ("softmax", "lid"): {"fgsm": 96.9, "bim": 99.6},
    ("rce", "k-density"): {"fgsm": 99.4, "bim": 91.8, "ilcm": 98.6, "cw": 99.8},
    ("gm", "k-density"): {"fgsm": 99.5, "bim": 99.7, "ilcm": 99.0, "cw": 99.8},
}


FEATURES: dict[Scale, dict[str, Any]] = {
    "cpu": {"feature_dim": 100},
    "paper": {"feature_dim": 64, "linear": False},
    "smoke": {"feature_dim": 100},
}
"""Scale → the features: at paper scale those that ResNet-32 has itself."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: four models, the learning rate chosen as in mnist-heads.

    At paper scale the network is T's ResNet-32; how it was trained on MNIST T does not say. At CPU scale there is one seed, for each
    takes about an hour on one core, nearly all of it attacks and what is measured of them.
    """
    chosen = setting(MNIST, scale)
    if scale == "paper":
        chosen = dataclasses.replace(chosen, backbone="resnet-32")
    if scale == "cpu":
        chosen = dataclasses.replace(chosen, seeds=chosen.seeds[:1])

    def measured(subject: Subject) -> Iterator[TaskResult]:
        return measure(subject, EFFORTS[scale], UNKNOWN[chosen.data])

    published = _TABLE_7 if chosen.data == "mnist" else {}
    rows = variants(chosen, {name: HEADS[name] for name in ROWS}, published, "T Table 7", **FEATURES[scale])
    unknown = needs.sets(UNKNOWN[chosen.data])
    return Experiment("mnist-detection", scale, tuple(rows), measured, draw, show, needs=unknown)
