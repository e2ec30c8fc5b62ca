"""CIFAR-10 with isomax, center loss and softmax, at paper scale on I's network: CIFAR-10's part of I Tables 3 to 5."""

from __future__ import annotations

from drumlin.recipes.experiment import Experiment
from drumlin.recipes.isomax import protocol
from drumlin.recipes.isomax.protocol import HEADS, Effort, Row
from drumlin.recipes.scales import CIFAR10, FEATURE_SCALE, NARROW, NARROW_EPOCHS, setting
from drumlin.results.record import Scale
from drumlin.settings.backbones import backbone_settings

ABOUT = "CIFAR-10 with isomax, center loss and softmax: neighbours, clusters, FGSM (I Tables 3-5, Figs. 5-6)"

PUBLISHED = {
    "softmax": Row(90.45, (83.75, 87.42, 87.89), (70.12, 39.84, 20.93), (0.7366, 0.7136)),
    "center": Row(90.61, (84.90, 88.05, 88.75), (69.53, 37.68, 19.38), (0.7428, 0.7243)),
    "isotropic": Row(90.30, (85.39, 89.14, 89.53), (74.34, 43.75, 22.32), (0.7837, 0.7541)),
}
"""Name of a head → what I has of it."""

_STEPS = 45_000 // 128
"""An epoch's: 5,000 of the 50,000 images are held out."""

EFFORTS: dict[Scale, Effort] = {
    "cpu": Effort(
        backbone_settings("fast-32", width=NARROW, feature_dim=100, feature_scale=FEATURE_SCALE),
        NARROW_EPOCHS,
        _STEPS,
        1000,
        100,
    ),
    "paper": Effort(backbone_settings("isomax-cifar", feature_dim=100), 100, _STEPS, None, 500),
    "smoke": Effort(backbone_settings("digits-cnn", feature_dim=100), 1, _STEPS, 60, 5),
}
"""Scale → what is done. I says neither how long it trains on CIFAR-10 nor how wide the fully connected layer is: 100 epochs are
35,000 steps, as many as it has for center loss on MNIST, and 100 is what L and T take there.

On two cores the network is a quarter as wide as our fast one, and trained as long as in cifar10-heads."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: 100-D features."""
    chosen = setting(CIFAR10, scale)
    rows = PUBLISHED if chosen.data == "cifar10" else {}
    return protocol.experiment("cifar-isomax", scale, chosen, EFFORTS[scale], HEADS, rows)
