"""Random flips, shifts and cutouts of whole batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from drumlin.settings.data import AugmentSettings


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What was drawn for a batch of n images; None for what is not varied."""

    flip: Bool[Tensor, " n"] | None
    """Which are mirrored."""

    shift: Int64[Tensor, "n 2"] | None
    """Row and column, in the original, of each result's corner."""

    hole: Int64[Tensor, "n 2"] | None
    """Row and column of each cutout's centre."""

    def part(self, start: int, stop: int) -> Draws:
        """Return what was drawn for the images `start` to `stop` (excluded)."""
        return Draws(
            flip=None if self.flip is None else self.flip[start:stop],
            shift=None if self.shift is None else self.shift[start:stop],
            hole=None if self.hole is None else self.hole[start:stop],
        )


def draw(settings: AugmentSettings, n: int, size: tuple[int, int], generator: torch.Generator) -> Draws:
    """Draw how n images are varied.

    Args:
        settings: which variations, and how far.
        n: number of images.
        size: their height and width in pixels.
        generator: on the CPU; advanced by an amount that depends on `settings` and `n` alone.

    Raises:
        ValueError: a shift with reflected padding as large as the image.
    """
    reach, sides = settings.shift, torch.tensor(size)
    if settings.pad == "reflect" and reach >= min(size):
        raise ValueError(f"augment.shift is {reach}; with pad 'reflect' it must be below the image's side, {min(size)}")
    return Draws(
        flip=torch.randint(0, 2, (n,), generator=generator).bool() if settings.flip else None,
        shift=torch.randint(-reach, reach + 1, (n, 2), generator=generator) if reach else None,
        hole=(torch.rand(n, 2, generator=generator, dtype=torch.float64) * sides).long() if settings.cutout else None,
    )


def vary(batch: Shaped[Tensor, "n c h w"], settings: AugmentSettings, draws: Draws) -> Shaped[Tensor, "n c h w"]:
    """Return the batch varied as drawn: mirrored, shifted, then a square cut out; `batch` is left as it is.

    Every value is fetched once, from where flip and shift say, and blackened if it lies outside the image or in the hole.
    """
    n, c, h, w = batch.shape
    row, column = torch.arange(h).expand(n, h), torch.arange(w).expand(n, w)
    here = (row, column)
    if draws.flip is not None:
        column = torch.where(draws.flip[:, None], w - 1 - column, column)
    if draws.shift is not None:
        row, column = row + draws.shift[:, :1], column + draws.shift[:, 1:]
    keep = None
    if draws.shift is not None and settings.pad == "reflect":
        row, column = (side - 1 - (side - 1 - place.abs()).abs() for place, side in ((row, h), (column, w)))
    elif draws.shift is not None:
        keep = _inside(row, 0, h)[:, :, None] & _inside(column, 0, w)[:, None, :]
        row, column = row.clamp(0, h - 1), column.clamp(0, w - 1)
    if draws.hole is not None:
        corner = draws.hole - settings.cutout // 2
        in_row, in_column = (
            _inside(place, corner[:, i : i + 1], corner[:, i : i + 1] + settings.cutout) for i, place in enumerate(here)
        )
        outside = ~(in_row[:, :, None] & in_column[:, None, :])
        keep = outside if keep is None else keep & outside
    if draws.flip is not None or draws.shift is not None:
        source = (row[:, :, None] * w + column[:, None, :]).view(n, 1, h * w).to(batch.device)
        batch = batch.reshape(n, c, h * w).gather(2, source.expand(n, c, h * w)).view(n, c, h, w)
    return batch if keep is None else batch * keep[:, None].to(batch.device)


def augment(
    batch: Shaped[Tensor, "n c h w"], settings: AugmentSettings, generator: torch.Generator
) -> Shaped[Tensor, "n c h w"]:
    """Return a batch of images varied at random, each for itself: mirrored, shifted, then a square cut out.

    Args:
        batch: bytes or floats; what comes in at a border and what is cut out is 0, black.
        settings: which variations, and how far. The square's centre is uniform over the image and its border is clipped,
            as DeVries & Taylor do (theirs is filled with the training set's mean, ours with black).
        generator: on the CPU.

    Returns:
        A batch of the same type; with nothing to vary, `batch` itself.

    Raises:
        ValueError: a shift with reflected padding as large as the image.

    Source: DeVries & Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017, section 3.

    >>> batch = torch.arange(4, dtype=torch.uint8).view(1, 1, 2, 2)
    >>> augment(batch, AugmentSettings(cutout=4), torch.Generator().manual_seed(0)).tolist()
    [[[[0, 0], [0, 0]]]]
    """
    size = (batch.shape[2], batch.shape[3])
    return vary(batch, settings, draw(settings, len(batch), size, generator))


def _inside(place: Tensor, start: Tensor | int, stop: Tensor | int) -> Tensor:
    return (place >= start) & (place < stop)
