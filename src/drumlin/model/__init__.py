"""Classifier = normalisation + backbone + head: images in, logits or loss out; precision, saving and loading."""

from drumlin.model.classifier import Classifier
from drumlin.model.description import read_description
from drumlin.model.devices import resolve_device, widest_float
from drumlin.model.inputs import InputSpec
from drumlin.model.precision import precision_context, resolve_precision

__all__ = [
    "Classifier",
    "InputSpec",
    "precision_context",
    "read_description",
    "resolve_device",
    "resolve_precision",
    "widest_float",
]
