"""Sets of images that can be shown: features to place them by, and thumbnails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from drumlin.data import ImageFiles, Images
from drumlin.data.adaptation import resize
from drumlin.data.images import in_order
from drumlin.features import FeatureSet

SIDE = 32
"""The longer side of a thumbnail is at most so many pixels."""

_CHUNK = 500


class Kind(IntEnum):
    """What a set is to the model; the numbers are in files."""

    TRAINING = 0
    TEST = 1
    OUT_OF_DISTRIBUTION = 2
    ATTACKED = 3


@dataclass(frozen=True, eq=False)
class ShownSet:
    """Images with their features, row by row.

    Attributes:
        kind: what the set is to the model.
        features: of every image.
        images: in the same order; thumbnails will do.
    """

    kind: Kind
    features: FeatureSet
    images: Images | ImageFiles

    @property
    def labels(self) -> Int64[Tensor, " n"]:
        """The true class of each, −1 where it is none of the model's."""
        if self.kind is Kind.OUT_OF_DISTRIBUTION or self.features.y is None:  # its labels are of other classes
            return torch.full((len(self.features),), -1)
        return self.features.y

    def thumbnails(self, indices: Int64[Tensor, " m"]) -> UInt8[Tensor, "m c h w"]:
        """Return the images `indices`, made small."""
        shares = in_order(len(indices), _CHUNK)
        return torch.cat([thumbnails(pixels) for pixels, _ in self.images.subset(indices).stream(shares)])


def features_of(sets: Mapping[str, ShownSet]) -> dict[str, FeatureSet]:
    """Return the features of each set."""
    return {name: shown.features for name, shown in sets.items()}


def thumbnails(pixels: UInt8[Tensor, "n c h w"], side: int = SIDE) -> UInt8[Tensor, "n c h w"]:
    """Return images made so small that their longer side is at most `side`; smaller ones as they are.

    >>> thumbnails(torch.zeros(1, 3, 100, 200, dtype=torch.uint8)).shape
    torch.Size([1, 3, 16, 32])
    """
    height, width = pixels.shape[2:]
    longer = max(height, width)
    if longer <= side:
        return pixels
    return resize(pixels, (max(1, height * side // longer), max(1, width * side // longer)))
