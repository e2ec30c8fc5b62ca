"""Gaussian-mixture feature spaces for PyTorch classifiers.

The public names below are loaded when first used, so that `import drumlin` and the command line's help need no torch.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Attack": "attacks",
    "AttackResult": "attacks",
    "BIM": "attacks",
    "CarliniWagner": "attacks",
    "CarliniWagnerDetector": "attacks",
    "CenterHead": "heads",
    "Classifier": "model",
    "ComponentLikelihood": "detectors",
    "Conformal": "refusal",
    "ContrastiveCenterHead": "heads",
    "Detector": "detectors",
    "Energy": "detectors",
    "FGSM": "attacks",
    "FeatureSet": "features",
    "GDA": "detectors",
    "GaussianMixtureHead": "heads",
    "Head": "heads",
    "HeadOutput": "heads",
    "IDefender": "detectors",
    "ILCM": "attacks",
    "IsotropicHead": "heads",
    "KDensity": "detectors",
    "KDensityUncertainty": "detectors",
    "KNN": "detectors",
    "LID": "detectors",
    "LSoftmaxHead": "heads",
    "MSP": "detectors",
    "Mahalanobis": "detectors",
    "MaxLogit": "detectors",
    "MaxMahalanobisHead": "heads",
    "MetricHead": "heads",
    "MixtureDensity": "detectors",
    "Noise": "attacks",
    "OrthogonalPGD": "attacks",
    "PGD": "attacks",
    "Prediction": "refusal",
    "Predictor": "refusal",
    "RelativeMahalanobis": "detectors",
    "ReverseCrossEntropyHead": "heads",
    "SoftmaxHead": "heads",
    "Transfer": "attacks",
    "ViM": "detectors",
    "feature_set": "features",
    "load": "refusal",
    "sweep_weights": "attacks",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'drumlin' has no attribute {name!r}")
    return getattr(importlib.import_module(f"drumlin.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
