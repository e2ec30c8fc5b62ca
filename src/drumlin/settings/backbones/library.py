"""Settings of the models of torchvision and timm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drumlin.settings.backbones.base import BackboneSettings


@dataclass(frozen=True, kw_only=True)
class LibrarySettings(BackboneSettings):
    """A model of a library by its name there, its classifier removed."""

    library: ClassVar[str]

    model: str
    """Name of the model in the library."""
    pretrained: bool = False
    """Start from the library's default pretrained weights (downloaded once)."""
    freeze: bool = False
    """Keep the trunk as it is: no gradients for its weights, no running statistics, always in evaluation mode."""

    @property
    def name(self) -> str:
        """The name by which `backbone_settings` finds this backbone, e.g. timm:resnet50."""
        return f"{self.library}:{self.model}"


@dataclass(frozen=True, kw_only=True)
class TorchvisionSettings(LibrarySettings):
    """A classification model of torchvision."""

    library: ClassVar[str] = "torchvision"


@dataclass(frozen=True, kw_only=True)
class TimmSettings(LibrarySettings):
    """A model of timm."""

    library: ClassVar[str] = "timm"
