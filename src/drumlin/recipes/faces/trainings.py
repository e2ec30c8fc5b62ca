"""How faces are trained on: L's and T's way, I's, what two processor cores can do, and digits in their place for the tests.

L and T train on all 0.49M images of CASIA-WebFace. Here, as in I, two thirds of each person's are trained on, and the rest tells how
well known people are recognised.
"""

from __future__ import annotations

import dataclasses

from drumlin.settings.backbones import BackboneSettings, backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import HeadSettings
from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings


@dataclasses.dataclass(frozen=True)
class FaceTraining:
    """Everything of a training but its loss."""

    data: DataSettings
    backbone: BackboneSettings
    training: TrainingSettings

    def candidates(self, head: HeadSettings) -> dict[str, RunSettings]:
        """Return the settings with a loss, by their learning rate: there is one."""
        settings = RunSettings(data=self.data, head=head, backbone=self.backbone, training=self.training)
        return {f"lr={self.training.optimizer.lr:g}": settings}

    def scaled(self, factor: float) -> FaceTraining:
        """Return the same training with every feature times a factor (`BackboneSettings.feature_scale`)."""
        return dataclasses.replace(self, backbone=dataclasses.replace(self.backbone, feature_scale=factor))


CASIA = FaceTraining(
    DataSettings(name="casia-webface", image_size=120, augment=AugmentSettings(flip=True, crop=8)),
    backbone_settings("face-27"),
    TrainingSettings(
        epochs=20,
        batch_size=256,
        optimizer=OptimizerSettings(lr=0.1, weight_decay=5e-4, options={"momentum": 0.9, "nesterov": False}),
        schedule=ScheduleSettings(name="step", milestones=(0.5, 0.7, 0.8), factor=0.1),
    ),
)
"""L §4.2, T §4.2: 120 of 128 pixels, mirrored at random; 27 convolutions, 512 features; the rate falls at epochs 10, 14 and 16."""

_I_EPOCHS = 80

CASIA_ISOMAX = FaceTraining(
    DataSettings(name="casia-webface", image_size=160, augment=AugmentSettings(flip=True, crop=22)),
    backbone_settings("inception-resnet-v1", linear=False, feature_dim=1792),
    TrainingSettings(
        epochs=_I_EPOCHS,
        batch_size=512,
        optimizer=OptimizerSettings(name="RMSprop", lr=0.1, weight_decay=0.0, options={"alpha": 0.9, "eps": 1.0}),
        schedule=ScheduleSettings(name="step", milestones=(50 / _I_EPOCHS, 65 / _I_EPOCHS), factor=0.1),
    ),
)
"""I §4.1.3: 160 of 182 pixels. I does not say how long it trains, nor of a layer between the pooled features and the classes."""


def _lfw(people: str) -> FaceTraining:
    # Some 350 images a second on one thread, of which twice the width makes 140, and ResNet-20 120.
    return FaceTraining(
        DataSettings(name=f"lfw:{people}", image_size=64, augment=AugmentSettings(flip=True, crop=8)),
        backbone_settings("fast-32", width=16, feature_dim=512),
        TrainingSettings(
            epochs=20,
            batch_size=64,
            optimizer=OptimizerSettings(lr=0.1, weight_decay=5e-4),
            schedule=ScheduleSettings(),
        ),
    )


LFW_VIEW_1 = _lfw("dev")
"""The people of View 1's development set: 4.5 images a person, of 1184."""
LFW_FOLD_1 = _lfw("without-folds-1-2")
"""The people of View 2 but those of fold 1, which is tested on, and of fold 2, which chooses the threshold: 1336, 5800 images."""

DIGITS = FaceTraining(
    DataSettings(name="digits:0-7"),
    backbone_settings("digits-cnn", width=8, feature_dim=16),
    TrainingSettings(epochs=1, batch_size=32, optimizer=OptimizerSettings(lr=0.05)),
)
"""For tests: pairs are of the digits 8 and 9."""
