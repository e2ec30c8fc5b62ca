"""How far apart GM's means come to lie on MNIST: MNIST's half of T Fig. 2."""

from __future__ import annotations

import dataclasses

from drumlin.recipes.attacks import mnist_detection
from drumlin.recipes.distance_figures import LOSS, draw
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.feature_space import error_and_geometry, show
from drumlin.recipes.scales import MNIST, setting
from drumlin.results.record import Scale

ABOUT = "MNIST: distances between GM's means, and the optimum (T Fig. 2, the upper half)"


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: GM's model of mnist-detection with every seed, at CPU scale that of mnist-heads, too.

    A folder of runs that holds them (`--out`) serves: nothing is trained again.
    """
    models = mnist_detection.experiment(scale).variants
    seeds = setting(MNIST, scale).seeds
    rows = tuple(dataclasses.replace(v, also={}, seeds=seeds) for v in models if v.name.partition(",")[0] == LOSS)
    return Experiment("mnist-distances", scale, rows, error_and_geometry, draw, show)
