"""Isomax's network for MNIST."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from drumlin.backbones.base import Trunk, check_size, initialise
from drumlin.backbones.layers import convolution
from drumlin.settings.backbones import IsomaxMNISTSettings


class IsomaxMNIST(Trunk):
    """Two 5x5 convolutions of 32 and 64 filters, each with 2x2 max pooling, and a fully connected layer of 1024.

    The table's last two layers are every backbone's own: dropout, and the linear map to the features (fc2, by default 2).
    "A dropout of 0.8" is read as TensorFlow's probability of keeping: 0.2 are dropped.

    The table's input has three channels, and so do its 2.4K parameters: grey images, repeated. `channels` is taken as
    given. It lists no activations, which are ReLU here, and no batch normalisation, which §3.2.3 applies "in the
    experiments" without saying where: it is off unless asked for, and then follows each convolution.

    Args:
        settings: batch normalisation or not.
        channels: C of the images.
        size: (H, W) in pixels; F = 1024 whatever it is.

    Raises:
        ValueError: images smaller than 4x4.

    Source: I Table 1 and §4.1.1.

    >>> IsomaxMNIST(IsomaxMNISTSettings(), channels=1, size=(28, 28)).out_features
    1024
    """

    out_features = 1024

    def __init__(self, settings: IsomaxMNISTSettings, *, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        check_size(settings.name, size, 4)
        norm = settings.batch_norm
        self.stage1 = nn.Sequential(*convolution(channels, 32, kernel=5, batch_norm=norm), nn.MaxPool2d(2))
        self.stage2 = nn.Sequential(*convolution(32, 64, kernel=5, batch_norm=norm), nn.MaxPool2d(2))
        linear = nn.Linear(64 * (size[0] // 4) * (size[1] // 4), self.out_features)
        self.fc1 = nn.Sequential(linear, nn.ReLU(inplace=True))
        initialise(self)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Return the output of the first fully connected layer."""
        x = self.stage2(self.stage1(x))
        features: Tensor = self.fc1(x.flatten(1))
        return features
