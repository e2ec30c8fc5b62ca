"""Detectors: features → anomaly score, larger = more anomalous. One a file."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from pathlib import Path
from typing import Any

from drumlin._io import unknown
from drumlin.detectors.artifact import read_artifact
from drumlin.detectors.base import Detector
from drumlin.detectors.component_likelihood import ComponentLikelihood
from drumlin.detectors.energy import Energy
from drumlin.detectors.gda import GDA
from drumlin.detectors.i_defender import IDefender
from drumlin.detectors.k_density import KDensity
from drumlin.detectors.k_density_uncertainty import KDensityUncertainty
from drumlin.detectors.k_nn import KNN
from drumlin.detectors.lid import LID
from drumlin.detectors.mahalanobis import Mahalanobis
from drumlin.detectors.max_logit import MaxLogit
from drumlin.detectors.mixture_density import MixtureDensity
from drumlin.detectors.msp import MSP
from drumlin.detectors.relative_mahalanobis import RelativeMahalanobis
from drumlin.detectors.vim import ViM
from drumlin.heads import Head

__all__ = [
    "DETECTORS",
    "GDA",
    "KNN",
    "LID",
    "MSP",
    "ComponentLikelihood",
    "Detector",
    "Energy",
    "IDefender",
    "KDensity",
    "KDensityUncertainty",
    "Mahalanobis",
    "MaxLogit",
    "MixtureDensity",
    "RelativeMahalanobis",
    "ViM",
    "create_detector",
    "detectors_for",
    "load_detector",
]

DETECTORS: dict[str, type[Detector]] = {
    kind.name: kind
    for kind in (
        ComponentLikelihood,
        MixtureDensity,
        MSP,
        MaxLogit,
        Energy,
        KDensity,
        Mahalanobis,
        RelativeMahalanobis,
        KNN,
        ViM,
        GDA,
        LID,
        IDefender,
        KDensityUncertainty,
    )
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


def detectors_for(head: Head, given: Collection[str] = ("head",)) -> list[str]:
    """Return the names of the detectors that are defined for features of `head` and can be fitted with what is given.

    Args:
        head: of the model.
        given: what there is beside features, logits and labels, of "head", "hidden", "draws", "anomalies" (see `Detector.requires`).

    >>> from drumlin.heads import SoftmaxHead
    >>> head = SoftmaxHead(2, 3)
    >>> detectors_for(head, given=())
    ['msp', 'max-logit', 'energy', 'k-density', 'mahalanobis', 'relative-mahalanobis', 'k-nn', 'gda']
    >>> [name for name in detectors_for(head, given=("head", "hidden", "anomalies")) if name not in detectors_for(head)]
    ['lid', 'i-defender']
    """
    return [name for name, kind in DETECTORS.items() if kind.supports(head) and kind.requires <= set(given)]


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
