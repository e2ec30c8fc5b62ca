"""What every backbone shares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class BackboneSettings:
    """What every backbone shares: a trunk, then dropout, a linear map to the features and an optional ReLU.

    Raises:
        ValueError: a number is out of its range; the message names it.
    """

    _name: ClassVar[str] = ""
    _later: ClassVar[frozenset[str]] = frozenset({"linear", "feature_scale"})
    """Fields that came when runs had been recorded (see `RunSettings.to_json`)."""

    feature_dim: int = 100
    """Dimension D of the features z, the output of the linear map after the trunk."""
    relu: bool = False
    """ReLU after the linear map, as in the papers' 100-D MNIST setting (L §4.1)."""
    dropout: float = 0.0
    """Probability of dropping each trunk feature before the linear map, in [0, 1); uncertainty by draws needs > 0."""
    linear: bool = True
    """The linear map. Without it the features are the trunk's own, and feature_dim must be their number."""
    feature_scale: float = 1.0
    """A factor of the features, after the linear map, that is not learned. Below 1 features begin smaller, and with SGD the linear map
    learns more slowly than the trunk."""

    def __post_init__(self) -> None:
        at_least_one(self, "feature_dim")
        if not (math.isfinite(self.feature_scale) and self.feature_scale > 0):
            raise ValueError(f"feature_scale must be a finite number above 0, not {self.feature_scale}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), not {self.dropout}")

    @property
    def name(self) -> str:
        """The name by which `backbone_settings` finds this backbone."""
        return self._name


def at_least_one(settings: BackboneSettings, field: str) -> None:
    """Refuse a number below 1.

    >>> at_least_one(BackboneSettings(), "feature_dim")
    """
    value = getattr(settings, field)
    if value < 1:
        raise ValueError(f"{field} must be at least 1, not {value}")
