"""200 classes of ImageNet with isomax, center loss and softmax: I Tables 3 and 5. Coded, and not run: it takes ImageNet, and GPUs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from drumlin.recipes import feature_space
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.isomax import protocol
from drumlin.recipes.isomax.figures import draw, near
from drumlin.recipes.isomax.protocol import Row, published
from drumlin.recipes.scales import setting
from drumlin.recipes.variants import Variant
from drumlin.results.record import Scale
from drumlin.settings.backbones import BackboneSettings, backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings

ABOUT = (
    "200 classes of ImageNet with isomax, center loss and softmax (I Tables 3, 5); needs the data set in the data root"
)

_PUBLISHED: dict[str, Row] = {
    "softmax": Row(75.89, (47.50, 49.55, 52.63), None, (0.7191, 0.7658)),
    "center": Row(75.60, (48.01, 50.73, 53.57), None, (0.7193, 0.7713)),
    "isotropic": Row(75.65, (49.92, 55.68, 57.88), None, (0.7349, 0.7831)),
}

_COLOURS = AugmentSettings(brightness=0.125, contrast=0.5, saturation=0.5, hue=0.2)
"""How far colours vary I does not say: TensorFlow's Inception preprocessing, as in the data set's default."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """What a scale decides."""

    data: DataSettings
    backbone: BackboneSettings
    epochs: int
    every: int
    rows: Mapping[str, Row]

    def settings(self) -> TrainingSettings:
        """Return I's training: Adagrad from 0.05, times 0.94 every two epochs, 128 images a step."""
        # TensorFlow's Adagrad starts its sums of squares at 0.1, torch's at 0.
        optimizer = OptimizerSettings(
            name="Adagrad", lr=0.05, weight_decay=0.0, options={"initial_accumulator_value": 0.1}
        )
        schedule = ScheduleSettings(name="exponential", factor=0.94, period=min(1.0, 2 / self.epochs))
        return TrainingSettings(epochs=self.epochs, batch_size=128, optimizer=optimizer, schedule=schedule)


EFFORTS: dict[Scale, Effort] = {
    "cpu": Effort(
        DataSettings(name="ilsvrc-200", image_size=64, augment=dataclasses.replace(_COLOURS, crop=8)),
        backbone_settings("torchvision:resnet18", linear=False, feature_dim=512),
        5,
        100,
        {},
    ),
    "paper": Effort(
        DataSettings(name="ilsvrc-200", image_size=160, augment=dataclasses.replace(_COLOURS, crop=22)),
        backbone_settings("inception-resnet-v1", linear=False, feature_dim=1792),
        100,
        1000,
        _PUBLISHED,
    ),
    "smoke": Effort(
        DataSettings(name="digits"), backbone_settings("digits-cnn", width=8, linear=False, feature_dim=64), 2, 5, {}
    ),
}
"""Scale → what is done. I says neither how long it trains nor of a layer between the pooled features and the classes; which 200
classes it took, see `drumlin.data.imagenet`."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: windows of 160 of 182 pixels, colours varied (I §4.1.2); its tables have no attacks."""
    effort = setting(EFFORTS, scale)
    variants = []
    for name, head in protocol.HEADS.items():
        settings = RunSettings(data=effort.data, head=head, backbone=effort.backbone, training=effort.settings())
        error, also = published(effort.rows, name)
        variants.append(Variant(name, {"lr=0.05": settings}, (0,), error, also))
    measure, show = feature_space.measure, feature_space.show
    return Experiment("ilsvrc-isomax", scale, tuple(variants), measure, draw, show, near, effort.every)
