"""What a training begins with."""

from __future__ import annotations

import torch
from torch import Tensor

from drumlin.backbones import Backbone
from drumlin.data import ImageFiles, Images
from drumlin.heads import Head
from drumlin.model import Classifier, InputSpec
from drumlin.settings.run import RunSettings
from drumlin.training.runs import normalisation

_FITTED_TO, _FITTED_BATCH = 512, 128
"""Images that the scale of the features is fitted to, and how many at once."""


def create(settings: RunSettings, images: Images | ImageFiles) -> Classifier:
    """Return a new classifier of these training images: its normalisation is theirs, and the network has seen what it asks for.

    Weights come from the settings' seed, and so does the choice of the images that the network sees (`Trunk.adapt`, and
    `Backbone.fit_scale` where the settings ask for it).

    Raises:
        ValueError: a setting that does not fit; features to be fitted to a head that has no class means, or all at the origin.
    """
    mean, std = normalisation(images)
    inputs = InputSpec(channels=images.channels, size=images.size, mean=mean, std=std)
    torch.manual_seed(settings.seed)
    precision = settings.training.precision
    classifier = Classifier.create(settings.backbone, settings.head, images.class_names, inputs, precision=precision)
    backbone = classifier.backbone
    assert isinstance(backbone, Backbone)
    # A generator of its own: what is drawn in training stays what it is for networks that see nothing.
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(settings.seed))
    wanted = backbone.trunk.adapts_to
    if wanted:
        pixels, _ = next(iter(images.subset(order[:wanted]).batches(wanted)))
        backbone.trunk.adapt(classifier.normalise(pixels))
    if settings.backbone.feature_scale == "fitted":
        batches = images.subset(order[:_FITTED_TO]).batches(_FITTED_BATCH)
        backbone.fit_scale((classifier.normalise(pixels) for pixels, _ in batches), _norm_of_means(classifier.head))
    return classifier


def _norm_of_means(head: Head) -> float:
    means = head.class_means
    norm = 0.0 if means is None else float(means.norm(dim=1).mean())
    if not norm > 0:
        why = "has no class means" if means is None else "begins with all of them at the origin"
        raise ValueError(
            f"backbone.feature_scale is fitted to the head's class means, and {type(head).__name__} {why}: give a number,"
            " or 1 for none"
        )
    return norm


def balanced_weights(labels: Tensor, num_classes: int) -> Tensor:
    """Return weights inverse to the classes' frequencies, whose mean over the samples is 1."""
    counts = torch.bincount(labels, minlength=num_classes).float()
    return len(labels) / (num_classes * counts)
