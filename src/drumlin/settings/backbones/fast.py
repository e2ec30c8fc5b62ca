"""Settings of the fast backbones, which are our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drumlin.settings.backbones.base import BackboneSettings, at_least_one


@dataclass(frozen=True, kw_only=True)
class DigitsCNNSettings(BackboneSettings):
    """Three 3x3 convolutions with batch normalisation, for 8x8 digits."""

    _name: ClassVar[str] = "digits-cnn"

    width: int = 32
    """Channels of the first convolution; the last two have twice as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(self, "width")


@dataclass(frozen=True, kw_only=True)
class Fast28Settings(BackboneSettings):
    """A 5x5 and four 3x3 convolutions with batch normalisation, for 28x28 images on a processor."""

    _name: ClassVar[str] = "fast-28"

    width: int = 16
    """Channels of the first stage; the next two have 2 and 4 times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(self, "width")


@dataclass(frozen=True, kw_only=True)
class Fast32Settings(BackboneSettings):
    """Whitened patches and six 3x3 convolutions with batch normalisation, for 32x32 images on a processor."""

    _name: ClassVar[str] = "fast-32"

    width: int = 64
    """Channels of the first stage; the next two have 4 times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(self, "width")
