"""Which hidden layers a detector looks at, and their features side by side."""

from __future__ import annotations

import torch
from torch import Tensor

from drumlin._io import unknown
from drumlin.features import FeatureRequest, FeatureSet


def checked_layers(layers: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return what the argument `layers` says, as a tuple also where JSON made a list of it.

    Raises:
        ValueError: a string, an empty tuple, or a layer twice.
    """
    if layers is None:
        return None
    if isinstance(layers, str) or len(layers) == 0 or len(set(layers)) < len(layers):
        raise ValueError(f"layers must be a tuple of different names of hidden layers, or None for all, got {layers!r}")
    return tuple(layers)


def layers_to_fit(layers: tuple[str, ...] | None, features: FeatureSet) -> list[str]:
    """Return the layers to fit: those asked for, or all that the training features have.

    Raises:
        ValueError: the training features lack a layer; with the nearest names.
    """
    for name in layers or ():
        if name not in features.hidden:
            raise unknown("hidden layer of the training features", name, features.hidden)
    return list(layers or features.hidden)


def side_by_side(features: FeatureSet, layers: list[str], widths: list[int] | None, detector: str) -> Tensor:
    """Return the features of `layers` (N, Σ D_layer) in that order, in float32 or wider.

    Args:
        features: of whatever is fitted to or scored.
        layers: their names.
        widths: D_layer of each where they are known already.
        detector: for messages.

    Raises:
        ValueError: a layer is missing, which the message names with what to ask `feature_set` for, or has another width.

    >>> features = FeatureSet(torch.zeros(1, 2), torch.zeros(1, 2), None, {"a": torch.ones(1, 1), "b": torch.zeros(1, 2)})
    >>> side_by_side(features, ["b", "a"], None, "lid")
    tensor([[0., 0., 1.]])
    """
    for place, name in enumerate(layers):
        if name not in features.hidden:
            found = ", ".join(features.hidden) or "none"
            raise ValueError(
                f"detector {detector!r} needs hidden layer {name!r}, the features have {found}: ask feature_set for"
                f" hidden={tuple(layers)!r} (detector.request has it)"
            )
        width = features.hidden[name].shape[1]
        if widths is not None and width != widths[place]:
            raise ValueError(
                f"detector {detector!r} was fitted to hidden layer {name!r} of width {widths[place]}, got {width}: of another model?"
            )
    parts = [features.hidden[name] for name in layers]
    return torch.cat([part.to(torch.promote_types(part.dtype, torch.float32)) for part in parts], 1)


def request_of(layers: list[str] | tuple[str, ...] | None, detector: str) -> FeatureRequest:
    """Return the request for `layers`.

    Raises:
        ValueError: None: which they are is known only after fitting.
    """
    if layers is None:
        raise ValueError(
            f"detector {detector!r} takes all hidden layers of the training features, and is not fitted yet: give layers=, or ask"
            " feature_set for classifier.hidden_names()"
        )
    return FeatureRequest(hidden=tuple(layers))
