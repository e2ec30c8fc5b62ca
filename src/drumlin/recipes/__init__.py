"""Recipes: a paper's table or figure → the runs and tasks that make it. One module a group of them."""

from __future__ import annotations

import importlib
from typing import Any

from drumlin._io import unknown
from drumlin.recipes.experiment import Experiment
from drumlin.results.record import Scale

RECIPES: dict[str, str] = {
    "mnist-heads": "drumlin.recipes.mnist_heads",
    "margins": "drumlin.recipes.margins",
    "mnist-maps": "drumlin.recipes.mnist_maps",
    "mnist-fgsm": "drumlin.recipes.mnist_fgsm",
    "mnist-detection": "drumlin.recipes.mnist_detection",
    "cifar-detection": "drumlin.recipes.cifar_detection",
    "imagenet-detection": "drumlin.recipes.imagenet_detection",
    "mnist-white-box": "drumlin.recipes.mnist_white_box",
    "cifar-white-box": "drumlin.recipes.cifar_white_box",
    "mnist-beyond": "drumlin.recipes.mnist_beyond",
    "mnist-orthogonal": "drumlin.recipes.mnist_orthogonal",
    "mnist-isomax": "drumlin.recipes.mnist_isomax",
    "mnist-distances": "drumlin.recipes.mnist_distances",
    "cifar10-heads": "drumlin.recipes.cifar10_heads",
    "cifar-isomax": "drumlin.recipes.cifar_isomax",
    "cifar100": "drumlin.recipes.cifar100",
    "cifar100-sensitivity": "drumlin.recipes.cifar100_sensitivity",
    "cifar100-filters": "drumlin.recipes.cifar100_filters",
    "imagenet-heads": "drumlin.recipes.imagenet_heads",
    "ilsvrc-isomax": "drumlin.recipes.ilsvrc_isomax",
    "faces": "drumlin.recipes.faces",
    "faces-sensitivity": "drumlin.recipes.faces_sensitivity",
}
"""Name → module. Each has `ABOUT`, a line, and `experiment(scale) -> Experiment`."""


def recipe(name: str, scale: Scale) -> Experiment:
    """Return the experiment called `name` at a scale.

    Raises:
        ValueError: an unknown name, with the nearest; or a scale that it does not have.
    """
    experiment: Experiment = _module(name).experiment(scale)
    return experiment


def about(name: str) -> str:
    """Return in a line what the recipe called `name` reproduces."""
    text: str = _module(name).ABOUT
    return text


def _module(name: str) -> Any:
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return importlib.import_module(RECIPES[name])
