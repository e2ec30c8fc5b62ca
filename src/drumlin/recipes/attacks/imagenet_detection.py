"""ImageNet's attacked images told by what detectors there are: T Table 8. Coded, and not run: it takes ImageNet, and GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from drumlin.recipes import needs
from drumlin.recipes.attacks import cifar_detection
from drumlin.recipes.attacks.semi_white_box import Effort, measure, show, variants
from drumlin.recipes.attacks.semi_white_box_figures import draw
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.scales import IMAGENET, setting
from drumlin.results.record import Scale
from drumlin.settings.heads import HeadSettings, head_settings
from drumlin.tasks.base import Subject, TaskResult

ABOUT = "ImageNet: attacked images told by K-density and dropout (T Table 8); needs the data set in the data root"

HEADS: dict[str, HeadSettings] = {"softmax": head_settings("softmax"), "gm": head_settings("gm", margin=0.01)}
"""T takes a margin of 0.01 for ImageNet, and says that training with reverse cross entropy did not converge there."""

EFFORTS: dict[Scale, dict[str, Effort]] = {
    "cpu": cifar_detection.EFFORTS["cpu"],
    "paper": cifar_detection.EFFORTS["paper"],
    "smoke": cifar_detection.EFFORTS["smoke"],
}
"""Scale → name in records → what is done: T gives one set of attacks for all data sets."""

UNKNOWN = {"imagenet": ("textures", "noise"), "ilsvrc-200": ("textures", "noise"), "digits": ("noise",)}
"""Data → sets the models have not seen."""

_WIDTHS = {"torchvision:resnet50": 2048, "torchvision:resnet18": 512}
"""Network → dimension of the features its own classifier sees, which are taken as they are."""

_TABLE_8: dict[tuple[str, str], dict[str, float]] = {
    ("softmax", "k-density"): {"fgsm": 74.9, "bim": 72.6, "ilcm": 91.7, "cw": 85.6},
    ("softmax dropout", "k-density-uncertainty"): {"fgsm": 90.6, "bim": 87.2, "ilcm": 92.1, "cw": 94.8},
    ("gm", "k-density"): {"fgsm": 98.4, "bim": 92.6, "ilcm": 97.0, "cw": 99.5},
}


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: three models, with the features that the network's own classifier would see."""
    chosen = setting(IMAGENET, scale)
    width = _WIDTHS.get(chosen.backbone)

    def measured(subject: Subject) -> Iterator[TaskResult]:
        return measure(subject, EFFORTS[scale], UNKNOWN[chosen.data])

    published = _TABLE_8 if chosen.data == "imagenet" else {}
    rows = variants(chosen, HEADS, published, "T Table 8", width or 16, linear=width is None)
    unknown = needs.sets(UNKNOWN[chosen.data])
    return Experiment("imagenet-detection", scale, tuple(rows), measured, draw, show, needs=unknown)
