from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from drumlin.model import Classifier, InputSpec
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import head_settings


@pytest.fixture
def linear() -> Callable[..., Classifier]:
    """Make a classifier whose logits are W·flatten(x), of images (1, H, W) in any size that fits."""

    def make(weight: Tensor) -> Classifier:
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False).to(weight.dtype)
        with torch.no_grad():
            layer.weight.copy_(weight)
        return Classifier.wrap(nn.Sequential(nn.Flatten(), layer), "1", channels=1).to(weight.dtype)

    return make


@pytest.fixture
def network() -> Callable[..., Classifier]:
    """Make a small convolutional classifier with BatchNorm, of 3 classes and 8x8 images, with a given head."""

    def make(
        head: str = "gm", precision: str = "float32", backbone_dropout: float = 0.0, **options: object
    ) -> Classifier:
        torch.manual_seed(0)
        inputs = InputSpec(channels=1, size=(8, 8), mean=(0.5,), std=(0.25,))
        options = {"warmup_steps": 0} | options if head in ("gm", "lgm") else options
        settings = head_settings(head, **options)
        backbone = backbone_settings("digits-cnn", feature_dim=4, width=8, dropout=backbone_dropout)
        classifier = Classifier.create(backbone, settings, ["a", "b", "c"], inputs, precision=precision)
        # Batch statistics that are not those of the start, and features of unit scale, so that all classes occur.
        with torch.no_grad():
            classifier.train()
            classifier(torch.rand(64, 1, 8, 8))
            z = classifier.eval().features(torch.rand(256, 1, 8, 8))
            linear = classifier.backbone.linear
            linear.weight /= z.std(0)[:, None]
            linear.bias.copy_((linear.bias - z.mean(0)) / z.std(0))
            for bias in (p for name, p in classifier.head.named_parameters() if name.endswith("bias")):
                bias.zero_()
        return classifier

    return make


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    """Twelve images with labels."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(12, 1, 8, 8, generator=generator), torch.arange(12) % 3
