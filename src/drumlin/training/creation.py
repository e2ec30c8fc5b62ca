"""What a training begins with."""

from __future__ import annotations

import torch
from torch import Tensor

from drumlin.backbones import Backbone
from drumlin.data import ImageFiles, Images
from drumlin.model import Classifier, InputSpec
from drumlin.settings.run import RunSettings
from drumlin.training.runs import normalisation


def create(settings: RunSettings, images: Images | ImageFiles) -> Classifier:
    """Return a new classifier of these training images: its normalisation is theirs, and the network has seen what it asks for.

    Weights come from the settings' seed, and so does the choice of the images that the network sees (`Trunk.adapt`).
    """
    mean, std = normalisation(images)
    inputs = InputSpec(channels=images.channels, size=images.size, mean=mean, std=std)
    torch.manual_seed(settings.seed)
    precision = settings.training.precision
    classifier = Classifier.create(settings.backbone, settings.head, images.class_names, inputs, precision=precision)
    backbone = classifier.backbone
    trunk = backbone.trunk if isinstance(backbone, Backbone) else None
    if trunk is not None and trunk.adapts_to:
        # A generator of its own: what is drawn in training stays what it is for networks that see nothing.
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(settings.seed))
        pixels, _ = next(iter(images.subset(order[: trunk.adapts_to]).batches(trunk.adapts_to)))
        trunk.adapt(classifier.normalise(pixels))
    return classifier


def balanced_weights(labels: Tensor, num_classes: int) -> Tensor:
    """Return weights inverse to the classes' frequencies, whose mean over the samples is 1."""
    counts = torch.bincount(labels, minlength=num_classes).float()
    return len(labels) / (num_classes * counts)
