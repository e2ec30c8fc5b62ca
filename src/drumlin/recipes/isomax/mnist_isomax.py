"""MNIST with isomax, center loss and softmax, at paper scale on I's network: I Tables 2 to 5, Figs. 5 and 6."""

from __future__ import annotations

from drumlin.recipes.experiment import Experiment
from drumlin.recipes.isomax import protocol
from drumlin.recipes.isomax.protocol import Effort, Row
from drumlin.recipes.scales import MNIST, setting
from drumlin.results.record import Scale
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import HeadSettings, head_settings

ABOUT = "MNIST with isomax, center loss and softmax: steps, neighbours, clusters, FGSM (I Tables 1-5, Figs. 5-6)"

HEADS: dict[str, HeadSettings] = protocol.HEADS | {"triplet": head_settings("triplet", softmax_weight=0.0)}
"""Losses of I Table 2; of triplets on MNIST it has no more than that they take "100K+" steps."""

_PUBLISHED = {
    "softmax": Row(98.75, (97.50, 97.81, 97.73), (76.43, 49.28, 25.39), (0.9031, 0.9110)),
    "center": Row(98.44, (98.03, 98.20, 98.05), (77.56, 49.65, 26.01), (0.9270, 0.9098), 35_000),
    "isotropic": Row(98.60, (98.20, 98.63, 98.28), (85.20, 54.57, 27.83), (0.9666, 0.9404), 20_000),
}

_STEPS = 55_000 // 128
"""An epoch's: 5,000 of the 60,000 images are held out."""

EFFORTS: dict[Scale, Effort] = {
    "cpu": Effort(backbone_settings("fast-28", feature_dim=2), 10, _STEPS, 2000, 100),
    "paper": Effort(backbone_settings("isomax-mnist", feature_dim=2), 82, _STEPS, None, 500),
    "smoke": Effort(backbone_settings("digits-cnn", feature_dim=2), 1, _STEPS, 60, 5),
}
"""Scale → what is done. I trains for 20,000 steps with isomax and 35,000 with center loss: 82 epochs.

Its network is at paper scale alone: ten epochs of it take 14 minutes on one core without bfloat16 and with nothing beside, of the fast
one six beside another training; there are twelve trainings."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: 2-D features."""
    chosen = setting(MNIST, scale)
    rows = _PUBLISHED if chosen.data == "mnist" else {}
    return protocol.experiment("mnist-isomax", scale, chosen, EFFORTS[scale], HEADS, rows)
