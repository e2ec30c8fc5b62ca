"""ImageNet with softmax, L-GM and GM: L Table 4 and T Table 4. Coded, and not run: it takes ImageNet, and GPUs.

L trains at rate 0.01 with 96 images a step, T at 0.1 with 256: each has its own rows. T cites the networks' authors beside its softmax
errors, which may be theirs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from drumlin.recipes.experiment import Experiment
from drumlin.recipes.scales import setting
from drumlin.recipes.tables import by_row
from drumlin.recipes.variants import Measured, Published, Variant
from drumlin.results import Record, in_percent, select, table
from drumlin.results.record import Scale
from drumlin.settings.backbones import BackboneSettings, backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import HeadSettings, head_settings
from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import TASK as ONE_CROP
from drumlin.tasks.classification import classification

ABOUT = "ImageNet: error of one crop and of ten with softmax, L-GM and GM (L Table 4, T Table 4); needs the data set in the data root"

TEN_CROPS = "classification-10-crop"
"""Task of the records of ten windows: the error by which a run is known is that of one."""

HEADS: dict[str, HeadSettings] = {
    "softmax": head_settings("softmax"),
    "lgm": head_settings("lgm", margin=0.01),
    "gm": head_settings("gm", margin=0.01),
}
"""L and T take α = 0.01 and λ = 0.1 for ImageNet."""


@dataclasses.dataclass(frozen=True)
class Training:
    """Everything of a training but network and loss, and by how many pixels test images are larger than its windows."""

    data: DataSettings
    settings: TrainingSettings
    margin: int

    def candidates(self, head: HeadSettings, backbone: BackboneSettings) -> dict[str, RunSettings]:
        """Return the settings with a loss and a network, by their learning rate: there is one."""
        settings = RunSettings(data=self.data, head=head, backbone=backbone, training=self.settings)
        return {f"lr={self.settings.optimizer.lr:g}": settings}


def _published(rate: float, batch_size: int, milestones: tuple[float, ...]) -> Training:
    plain = OptimizerSettings(lr=rate, weight_decay=2e-4, options={"momentum": 0.9, "nesterov": False})
    schedule = ScheduleSettings(name="step", milestones=milestones, factor=0.1)
    data = DataSettings(name="imagenet", image_size=224, augment=AugmentSettings(flip=True, crop=32))
    return Training(data, TrainingSettings(epochs=100, batch_size=batch_size, optimizer=plain, schedule=schedule), 32)


L_TRAINING = _published(0.01, 96, (0.5, 0.75))
"""L §4.1: six processors with 16 images each; the rate falls at epochs 50 and 75."""
T_TRAINING = _published(0.1, 256, (0.3, 0.6, 0.9))
"""T §4.1: four with 64 each; epochs 30, 60 and 90."""
CPU_TRAINING = Training(
    DataSettings(name="ilsvrc-200", image_size=64, augment=AugmentSettings(flip=True, crop=8)),
    TrainingSettings(epochs=5, batch_size=128, optimizer=OptimizerSettings(lr=0.1, weight_decay=2e-4)),
    8,
)
"""200 classes at 64 pixels, one cycle of the rate."""
SMOKE_TRAINING = Training(
    DataSettings(name="digits"), TrainingSettings(epochs=1, batch_size=32, optimizer=OptimizerSettings(lr=0.05)), 1
)

_TABLE_4: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "softmax": ((23.5, 7.55), (22.6, 6.92)),
    "lgm": ((22.7, 7.14), (21.9, 6.05)),
}
"""L's loss → top-1 and top-5 errors in percent of one crop, and of ten; ResNet-101."""

NETWORKS: dict[str, str] = {
    "ResNet-50": "torchvision:resnet50",
    "ResNet-101": "torchvision:resnet101",
    "ResNeXt-50": "torchvision:resnext50_32x4d",
    "SE-ResNet-50": "timm:seresnet50",
}

_T_TABLE_4: dict[tuple[str, str], tuple[float, float | None]] = {
    ("ResNet-50", "softmax"): (24.7, 7.8),
    ("ResNet-50", "gm"): (23.28, 6.81),
    ("ResNet-101", "softmax"): (23.6, 7.1),
    ("ResNet-101", "gm"): (22.51, 6.22),
    ("ResNeXt-50", "softmax"): (22.2, None),
    ("ResNeXt-50", "gm"): (21.43, 5.72),
    ("SE-ResNet-50", "softmax"): (23.29, 6.62),
    ("SE-ResNet-50", "gm"): (22.37, 5.85),
}
"""(network, loss) → top-1 and top-5 errors in percent of one crop."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: the features are those that the network's own classifier would see."""
    rows, margin = setting(_ROWS, scale)

    def measured(subject: Subject) -> Iterator[TaskResult]:
        return measure(subject, margin)

    return Experiment("imagenet-heads", scale, tuple(rows()), measured, show=show)


def measure(subject: Subject, margin: int) -> Iterator[TaskResult]:
    """Yield errors of the centre of test images that are larger by a margin in pixels, and of ten windows of them."""
    yield classification(subject, crops=1, margin=margin)
    ten = classification(subject, crops=10, margin=margin)
    yield TaskResult([dataclasses.replace(record, task=TEN_CROPS) for record in ten.records])


def show(records: Sequence[Record]) -> str:
    """Return top-1 and top-5 errors in percent, published values in parentheses."""
    parts = []
    for metric, title in (("error", "Top-1 error, %"), ("top5-error", "Top-5 error, %")):
        found = [by_row(in_percent(r)) for r in select(records, task=(ONE_CROP, TEN_CROPS), metric=metric)]
        parts += [title, table(found, rows=["head"], columns=["anomaly"], published=True)]
    return "\n\n".join(parts)


def _paper() -> Iterator[Variant]:
    resnet_101 = backbone_settings(NETWORKS["ResNet-101"], linear=False, feature_dim=2048)
    for loss, (one, ten) in _TABLE_4.items():
        candidates = L_TRAINING.candidates(HEADS[loss], resnet_101)
        top_1, also = _beside(one, ten, "L Table 4")
        yield Variant(f"{loss}, ResNet-101, L", candidates, (0, 1, 2), top_1, also)
    for (network, loss), errors in _T_TABLE_4.items():
        backbone = backbone_settings(NETWORKS[network], linear=False, feature_dim=2048)
        top_1, also = _beside(errors, None, "T Table 4")
        yield Variant(f"{loss}, {network}, T", T_TRAINING.candidates(HEADS[loss], backbone), (0,), top_1, also)


def _cpu() -> Iterator[Variant]:
    resnet_18 = backbone_settings("torchvision:resnet18", linear=False, feature_dim=512)
    for loss, head in HEADS.items():
        yield Variant(f"{loss}, ResNet-18", CPU_TRAINING.candidates(head, resnet_18), (0,))


def _smoke() -> Iterator[Variant]:
    digits_cnn = backbone_settings("digits-cnn", width=8, linear=False, feature_dim=64)
    for loss, head in HEADS.items():
        yield Variant(f"{loss}, digits", SMOKE_TRAINING.candidates(head, digits_cnn), (0,))


_ROWS: dict[Scale, tuple[Callable[[], Iterator[Variant]], int]] = {
    "cpu": (_cpu, CPU_TRAINING.margin),
    "paper": (_paper, L_TRAINING.margin),
    "smoke": (_smoke, SMOKE_TRAINING.margin),
}


def _beside(
    one: tuple[float, float | None], ten: tuple[float, float | None] | None, source: str
) -> tuple[Published, dict[Measured, Published]]:
    """Return top-1 error of one crop, and what else was published; errors in percent become fractions."""
    values = {Measured(ONE_CROP, "top5-error"): one[1]}
    if ten is not None:
        values |= {Measured(TEN_CROPS, "error"): ten[0], Measured(TEN_CROPS, "top5-error"): ten[1]}
    also = {what: Published(round(v / 100, 6), source) for what, v in values.items() if v is not None}
    return Published(round(one[0] / 100, 6), source), also
