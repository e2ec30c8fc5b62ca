"""What every detector shares: checks, fitting, scoring, saving. A new detector fills two hooks."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, TypeVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from drumlin.detectors.artifact import write_artifact
from drumlin.features import FeatureRequest, FeatureSet
from drumlin.heads import Head
from drumlin.model import widest_float

_D = TypeVar("_D", bound="Detector")  # not Self, which beartype does not take on a method


class Detector(ABC):
    """Features → anomaly score; larger = more anomalous.

    Hyperparameters are keyword-only and kept as given. Fitted state is in attributes ending in `_`, which `save` writes: tensors, what
    JSON can hold, and other detectors it makes use of (its constructor makes them, `_fit` puts fitted ones in their place). A
    detector with "head" in `requires` scores by the head's own parameters: it holds the head it was fitted with (not a copy), so it
    follows that head's training and device, and `load_detector` must be given the head again.

    Attributes:
        name: by which `create_detector` finds it.
        requires: what it needs beside z and logits, of "head", "hidden", "draws", "anomalies". Draws are needed of what is scored,
            and so of normals and anomalies, but not of training features.
        needs_labels: whether `fit` needs the true labels.
        differentiable: whether scores keep the graph of the features, so that they can be attacked.
        in_features_, num_classes_: D and K of the features it was fitted to.
        head_: the head it was fitted with, if it requires one.
    """

    name: ClassVar[str]
    requires: ClassVar[frozenset[str]] = frozenset()
    needs_labels: ClassVar[bool] = False
    differentiable: ClassVar[bool] = True

    in_features_: int
    num_classes_: int
    head_: Head | None = None

    @classmethod
    def supports(cls, head: Head) -> bool:
        """Whether the score is defined for features of this head."""
        return True

    @final
    def fit(
        self: _D,
        features: FeatureSet,
        *,
        head: Head | None = None,
        anomalies: FeatureSet | None = None,
        normals: FeatureSet | None = None,
    ) -> _D:
        """Fit to training features, on their device or, where that has no float64, on the CPU; nothing they hold keeps its graph.

        Args:
            features: of training samples, at least one; with labels where the detector needs them.
            head: that made the logits; needed where `requires` says so, else not looked at.
            anomalies: features of known anomalies; needed where `requires` says so, else not looked at.
            normals: features of held-out normal samples, which a regression is to tell from the anomalies; needed where anomalies
                are, else not looked at. Training features will not do: what is fitted to them takes them for more normal.

        Returns:
            The detector itself.

        Raises:
            ValueError: something needed is missing, does not fit, or is not finite; the message names it.
        """
        self._check(features, self.requires & {"hidden"})
        num_samples, in_features = features.z.shape
        num_classes = features.logits.shape[1]
        if num_samples == 0:
            raise ValueError(f"detector {self.name!r} needs training features to be fitted, got none")
        if self.needs_labels:
            if features.y is None:
                raise ValueError(f"detector {self.name!r} needs the labels of the training features (y), got None")
            _check_classes("labels y", features.y, num_samples, num_classes)
        if "anomalies" in self.requires:
            for what, given in (
                ("known anomalies (anomalies=)", anomalies),
                ("held-out normal samples (normals=)", normals),
            ):
                if given is None or len(given) == 0:
                    found = "None" if given is None else "an empty set"
                    raise ValueError(f"detector {self.name!r} needs features of {what}, got {found}")
                self._check(given, self.requires)
                if (shape := (given.z.shape[1], given.logits.shape[1])) != (in_features, num_classes):
                    raise ValueError(
                        f"{what} have (width, classes) {shape}, the training features {(in_features, num_classes)}: of another model?"
                    )
        self._attach(head, in_features, num_classes)
        if widest_float(features.z.device) != torch.float64:  # in which sums over many samples are formed
            features = features.to("cpu")
            anomalies, normals = (None if given is None else given.to("cpu") for given in (anomalies, normals))
        with torch.no_grad(), torch.autocast(features.z.device.type, enabled=False):
            self._fit(features, anomalies, normals)
        self.in_features_, self.num_classes_ = in_features, num_classes
        return self

    @final
    def score(self, features: FeatureSet, y: Int[Tensor, " n"] | None = None) -> Float[Tensor, " n"]:
        """Return anomaly scores (N,), larger = more anomalous; with the graph of the features, if they have one.

        A score does not depend on the other samples. True labels in `features` are not looked at.

        Args:
            features: what to score.
            y: class (N,) to condition on; by default the predicted one. Scores of the input as a whole (energy, mixture density)
                are the same for every class.

        Raises:
            ValueError: not fitted; features of another width, or not finite; a class out of range; something needed is missing.
        """
        if not hasattr(self, "in_features_"):
            raise ValueError(f"detector {self.name!r} is not fitted: call fit(features, ...) first")
        self._check(features, self.requires)
        found, expected = (features.z.shape[1], features.logits.shape[1]), (self.in_features_, self.num_classes_)
        if found != expected:
            raise ValueError(
                f"detector {self.name!r} was fitted to features of (width, classes) {expected}, got {found}: of another model?"
            )
        if y is None:
            y = features.prediction
        else:
            _check_classes("classes y", y, len(features), self.num_classes_)
        # Features without a graph must not get one from the head's parameters.
        graph = torch.is_grad_enabled() and (features.z.requires_grad or features.logits.requires_grad)
        with torch.set_grad_enabled(graph), torch.autocast(features.z.device.type, enabled=False):
            return self._score(features, y.to(features.z.device))

    @abstractmethod
    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        """Set the fitted state, from features that were checked; `self.head_` is there if required."""

    @abstractmethod
    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        """Return scores (N,), conditional on the classes y (N,) where the score has such a form."""

    @property
    def request(self) -> FeatureRequest:
        """What `feature_set` must be asked for, for the features to be scored."""
        return FeatureRequest()

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The arguments it was made with, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    @final
    def save(self, folder: Path | str) -> None:
        """Write `detector.safetensors` and `detector.json` into `folder`; not the head, which belongs to the model.

        Raises:
            ValueError: not fitted.
        """
        if not hasattr(self, "in_features_"):
            raise ValueError(f"detector {self.name!r} is not fitted: there is nothing to save yet")
        state = self._state()
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        description = {
            "detector": self.name,
            "hyperparameters": self.hyperparameters,
            "state": {name: value for name, value in state.items() if name not in tensors},
            "requires": sorted(self.requires),
        }
        write_artifact(folder, "detector", tensors, description)

    def _state(self) -> dict[str, Any]:
        """Return the fitted state by name; that of a detector inside under ATTRIBUTE.NAME."""
        state: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Detector):
                state |= {f"{name}.{inner}": part for inner, part in value._state().items()}
            elif name.endswith("_") and name != "head_":
                state[name] = value
        return state

    @final
    def _restore(self, state: dict[str, Any], head: Head | None) -> None:
        """Take over fitted state that `save` wrote."""
        self._attach(head, state["in_features_"], state["num_classes_"])
        inside: dict[str, dict[str, Any]] = {}
        for name, value in state.items():
            first, _, rest = name.partition(".")
            if rest:
                inside.setdefault(first, {})[rest] = value
            else:
                setattr(self, name, value)
        for name, part in inside.items():
            getattr(self, name)._restore(part, head)

    def _attach(self, head: Head | None, in_features: int, num_classes: int) -> None:
        if "head" not in self.requires:
            return
        if head is None:
            raise ValueError(f"detector {self.name!r} scores by the head's parameters: give the head (head=), got None")
        if not self.supports(head):
            from drumlin.detectors import detectors_for  # not above: the registry imports this module

            raise ValueError(
                f"detector {self.name!r} is not defined for a {type(head).__name__}; for it there are:"
                f" {', '.join(detectors_for(head))}"
            )
        if (head.in_features, head.num_classes) != (in_features, num_classes):
            raise ValueError(
                f"head takes (width, classes) {(head.in_features, head.num_classes)}, the features have"
                f" {(in_features, num_classes)}: of another model?"
            )
        self.head_ = head

    def _check(self, features: FeatureSet, needed: frozenset[str]) -> None:
        z, logits = features.z, features.logits
        if z.ndim != 2 or logits.ndim != 2 or z.shape[0] != logits.shape[0]:
            raise ValueError(
                f"features must have z (N, D) and logits (N, K), got shapes {tuple(z.shape)} and {tuple(logits.shape)}"
            )
        for what in sorted(needed & {"hidden", "draws"}):
            value = getattr(features, what)
            if value is None or len(value) == 0:
                raise ValueError(f"detector {self.name!r} needs features with {what}: ask feature_set for {what}")
        named = {"z": z, "logits": logits, **{f"hidden[{name!r}]": value for name, value in features.hidden.items()}}
        for name, value in named.items():
            if value.ndim != 2 or len(value) != len(z):
                raise ValueError(f"features must have {name} of shape ({len(z)}, width), got {tuple(value.shape)}")
        if features.draws is not None:
            if features.draws.ndim != 3 or features.draws.shape[1:] != logits.shape:
                raise ValueError(
                    f"features must have draws of shape (T, {len(z)}, {logits.shape[1]}), got {tuple(features.draws.shape)}"
                )
            named["draws"] = features.draws.transpose(0, 1)
        for name, value in named.items():
            bad = (~value.isfinite()).flatten(1).any(1)
            if bool(bad.any()):
                first = int(bad.nonzero()[0])
                raise ValueError(
                    f"features have non-finite {name} in {int(bad.sum())} of {len(value)} samples, the first is {first}"
                )


def _check_classes(what: str, y: Tensor, num_samples: int, num_classes: int) -> None:
    if y.dtype != torch.int64 or y.shape != (num_samples,):
        raise ValueError(f"{what} must be int64 of shape ({num_samples},), got {y.dtype} of shape {tuple(y.shape)}")
    if num_samples:
        low, high = int(y.min()), int(y.max())
        if low < 0 or high >= num_classes:
            raise ValueError(f"{what} must lie in 0..{num_classes - 1}, got {low if low < 0 else high}")
