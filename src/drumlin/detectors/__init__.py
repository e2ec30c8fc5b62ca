"""Detectors: features → anomaly score, larger = more anomalous. One a file."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from drumlin._io import unknown
from drumlin.detectors.artifact import read_artifact
from drumlin.detectors.base import Detector
from drumlin.detectors.component_likelihood import ComponentLikelihood
from drumlin.detectors.energy import Energy
from drumlin.detectors.k_density import KDensity
from drumlin.detectors.max_logit import MaxLogit
from drumlin.detectors.mixture_density import MixtureDensity
from drumlin.detectors.msp import MSP
from drumlin.heads import Head

__all__ = [
    "DETECTORS",
    "MSP",
    "ComponentLikelihood",
    "Detector",
    "Energy",
    "KDensity",
    "MaxLogit",
    "MixtureDensity",
    "create_detector",
    "detectors_for",
    "load_detector",
]

DETECTORS: dict[str, type[Detector]] = {
    kind.name: kind for kind in (ComponentLikelihood, MixtureDensity, MSP, MaxLogit, Energy, KDensity)
}
"""Every detector by its name."""


def create_detector(name: str, **hyperparameters: Any) -> Detector:
    """Return the detector called `name`, not fitted yet.

    Raises:
        ValueError: an unknown name or hyperparameter, with the nearest ones; or a value out of range.

    >>> create_detector("k-density", bandwidth=2.0).bandwidth
    2.0
    """
    if name not in DETECTORS:
        raise unknown("detector", name, DETECTORS)
    known = inspect.signature(DETECTORS[name]).parameters
    for given in hyperparameters:
        if given not in known:
            raise unknown(f"hyperparameter of detector {name!r}", given, known)
    return DETECTORS[name](**hyperparameters)


def detectors_for(head: Head) -> list[str]:
    """Return the names of the detectors that are defined for features of this head.

    >>> from drumlin.heads import SoftmaxHead
    >>> detectors_for(SoftmaxHead(2, 3))
    ['component-likelihood', 'msp', 'max-logit', 'energy', 'k-density']
    """
    return [name for name, kind in DETECTORS.items() if kind.supports(head)]


def load_detector(folder: Path | str, head: Head | None = None) -> Detector:
    """Return the fitted detector that `Detector.save` wrote into `folder`. Loading never runs code.

    Args:
        folder: where it was saved.
        head: the head it was fitted with, for detectors that require one; `detector.json` says so.

    Raises:
        ValueError: a file is missing, damaged or of another version; an unknown detector; the head is missing or does not fit.
    """
    description, tensors = read_artifact(folder, "detector", "fit and save the detector again")
    detector = create_detector(description["detector"], **description["hyperparameters"])
    detector._restore({**description["state"], **tensors}, head)
    return detector
