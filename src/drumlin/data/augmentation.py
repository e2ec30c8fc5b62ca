"""Random flips, crops, shifts, colours and cutouts of whole batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from drumlin.data.colour import Colours, draw_colours, recolour
from drumlin.data.images import unit_range
from drumlin.settings.data import AugmentSettings

_CHUNK_BYTES = 1 << 24  # of an image's values at a time: colours need about ten times as much beside


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What was drawn for a batch of n images; None for what is not varied."""

    flip: Bool[Tensor, " n"] | None
    """Which are mirrored."""

    shift: Int64[Tensor, "n 2"] | None
    """Row and column, in the original, of each result's corner."""

    hole: Int64[Tensor, "n 2"] | None
    """Row and column of each cutout's centre."""

    colours: Colours | None = None
    """How their colours vary."""

    def part(self, start: int, stop: int) -> Draws:
        """Return what was drawn for the images `start` to `stop` (excluded)."""
        return Draws(
            flip=None if self.flip is None else self.flip[start:stop],
            shift=None if self.shift is None else self.shift[start:stop],
            hole=None if self.hole is None else self.hole[start:stop],
            colours=None if self.colours is None else self.colours.part(start, stop),
        )


def draw(
    settings: AugmentSettings,
    n: int,
    size: tuple[int, int],
    generator: torch.Generator,
    *,
    mirrored: Bool[Tensor, " n"] | None = None,
) -> Draws:
    """Draw how n images are varied.

    Args:
        settings: which variations, and how far.
        n: number of images.
        size: their height and width in pixels, before a window is cut out.
        generator: on the CPU; advanced by an amount that depends on `settings`, `n` and whether `mirrored` is given alone.
        mirrored: which are mirrored, where that is not left to chance.

    Raises:
        ValueError: a shift with reflected padding, or a crop, as large as the image.
    """
    reach, crop = settings.shift, settings.crop
    if settings.pad == "reflect" and reach >= min(size):
        raise ValueError(f"augment.shift is {reach}; with pad 'reflect' it must be below the image's side, {min(size)}")
    if crop >= min(size):
        raise ValueError(f"augment.crop is {crop}; it must be below the side of the images cut, {min(size)}")
    flip = mirrored
    if settings.flip and flip is None:
        flip = torch.randint(0, 2, (n,), generator=generator).bool()
    shift = torch.randint(-reach, reach + 1, (n, 2), generator=generator) if reach else None
    sides = torch.tensor(size) - crop
    hole = (torch.rand(n, 2, generator=generator, dtype=torch.float64) * sides).long() if settings.cutout else None
    if crop:
        corner = torch.randint(0, crop + 1, (n, 2), generator=generator)
        shift = corner if shift is None else shift + corner
    return Draws(flip=flip, shift=shift, hole=hole, colours=draw_colours(settings, n, generator))


def vary(batch: Shaped[Tensor, "n c _ _"], settings: AugmentSettings, draws: Draws) -> Shaped[Tensor, "n c h w"]:
    """Return the batch varied as drawn: mirrored, cropped, shifted, recoloured, then a square cut out; `batch` stays as it is.

    Every value is fetched once, from where flip and shift say, and blackened if it lies outside the image or in the hole.
    """
    n, c, height, width = batch.shape
    h, w = height - settings.crop, width - settings.crop
    row, column = torch.arange(h).expand(n, h), torch.arange(w).expand(n, w)
    here = (row, column)
    if draws.flip is not None:
        column = torch.where(draws.flip[:, None], w - 1 - column, column)
    if draws.shift is not None:
        row, column = row + draws.shift[:, :1], column + draws.shift[:, 1:]
    keep = None
    if draws.shift is not None and settings.pad == "reflect":
        row, column = (side - 1 - (side - 1 - place.abs()).abs() for place, side in ((row, height), (column, width)))
    elif draws.shift is not None and settings.shift:
        keep = _inside(row, 0, height)[:, :, None] & _inside(column, 0, width)[:, None, :]
        row, column = row.clamp(0, height - 1), column.clamp(0, width - 1)
    if draws.hole is not None:
        corner = draws.hole - settings.cutout // 2
        in_row, in_column = (
            _inside(place, corner[:, i : i + 1], corner[:, i : i + 1] + settings.cutout) for i, place in enumerate(here)
        )
        outside = ~(in_row[:, :, None] & in_column[:, None, :])
        keep = outside if keep is None else keep & outside
    if draws.flip is not None or draws.shift is not None:
        source = (row[:, :, None] * width + column[:, None, :]).view(n, 1, h * w).to(batch.device)
        batch = batch.reshape(n, c, height * width).gather(2, source.expand(n, c, h * w)).view(n, c, h, w)
    if draws.colours is not None:
        batch = _recoloured(batch, draws.colours)
    return batch if keep is None else batch * keep[:, None].to(batch.device)


def augment(
    batch: Shaped[Tensor, "n c _ _"], settings: AugmentSettings, generator: torch.Generator
) -> Shaped[Tensor, "n c h w"]:
    """Return a batch of images varied at random, each for itself: mirrored, cropped, shifted, recoloured, then a square cut out.

    Args:
        batch: bytes, or floats in 0..1; what comes in at a border and what is cut out is 0, black. The results are smaller by
            `settings.crop` along each axis.
        settings: which variations, and how far. A batch belongs to no epoch, so alternating flips are left to chance. The
            cutout's centre is uniform over the image and its border is clipped, as DeVries & Taylor do (theirs is filled with
            the training set's mean, ours with black).
        generator: on the CPU.

    Returns:
        A batch of the same type; with nothing to vary, `batch` itself.

    Raises:
        ValueError: a shift with reflected padding, or a crop, as large as the image.

    Source: DeVries & Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017, section 3.

    >>> batch = torch.arange(4, dtype=torch.uint8).view(1, 1, 2, 2)
    >>> augment(batch, AugmentSettings(cutout=4), torch.Generator().manual_seed(0)).tolist()
    [[[[0, 0], [0, 0]]]]
    """
    size = (batch.shape[2], batch.shape[3])
    return vary(batch, settings, draw(settings, len(batch), size, generator))


def _recoloured(batch: Tensor, colours: Colours) -> Tensor:
    """Return bytes or floats with other colours; bytes are rounded once, at the end."""
    step = max(1, _CHUNK_BYTES // (4 * batch[0].numel()))
    parts = []
    for start in range(0, len(batch), step):
        part, drawn = batch[start : start + step], colours.part(start, start + step)
        if batch.dtype == torch.uint8:
            parts.append(recolour(unit_range(part), drawn).mul_(255).round_().to(torch.uint8))
        else:
            parts.append(recolour(part, drawn))
    return torch.cat(parts)


def _inside(place: Tensor, start: Tensor | int, stop: Tensor | int) -> Tensor:
    return (place >= start) & (place < stop)
