"""Recipes: a paper's table or figure → the runs and tasks that make it.

A folder a kind of question, in it a module a recipe, and beside it what several share. What every recipe is made of lies here:
`experiment`, `variants` and `scales`; what is measured and printed: `feature_space`, `tables`; what is drawn: `pages`, `*_figures`.
"""

from __future__ import annotations

import importlib
from typing import Any

from drumlin._io import unknown
from drumlin.recipes.experiment import Experiment
from drumlin.results.record import Scale

RECIPES: dict[str, str] = {
    "mnist-heads": "drumlin.recipes.classification.mnist_heads",
    "margins": "drumlin.recipes.pictures.margins",
    "mnist-maps": "drumlin.recipes.pictures.mnist_maps",
    "mnist-fgsm": "drumlin.recipes.attacks.mnist_fgsm",
    "mnist-detection": "drumlin.recipes.attacks.mnist_detection",
    "cifar-detection": "drumlin.recipes.attacks.cifar_detection",
    "imagenet-detection": "drumlin.recipes.attacks.imagenet_detection",
    "mnist-white-box": "drumlin.recipes.attacks.mnist_white_box",
    "cifar-white-box": "drumlin.recipes.attacks.cifar_white_box",
    "mnist-beyond": "drumlin.recipes.attacks.mnist_beyond",
    "mnist-orthogonal": "drumlin.recipes.attacks.mnist_orthogonal",
    "mnist-isomax": "drumlin.recipes.isomax.mnist_isomax",
    "mnist-distances": "drumlin.recipes.pictures.mnist_distances",
    "cifar10-heads": "drumlin.recipes.classification.cifar10_heads",
    "cifar-isomax": "drumlin.recipes.isomax.cifar_isomax",
    "cifar100": "drumlin.recipes.classification.cifar100",
    "cifar100-sensitivity": "drumlin.recipes.classification.cifar100_sensitivity",
    "cifar100-filters": "drumlin.recipes.classification.cifar100_filters",
    "imagenet-heads": "drumlin.recipes.classification.imagenet_heads",
    "ilsvrc-isomax": "drumlin.recipes.isomax.ilsvrc_isomax",
    "faces": "drumlin.recipes.faces.losses",
    "faces-sensitivity": "drumlin.recipes.faces.sensitivity",
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
