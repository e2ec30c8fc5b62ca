"""Random colours of whole batches: brightness, contrast, saturation and hue, in an order drawn for each image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from drumlin.settings.data import AugmentSettings


@dataclass(frozen=True, kw_only=True)
class Colours:
    """What was drawn for the colours of n images."""

    amounts: Float[Tensor, "n 4"]
    """Factors of brightness, contrast and saturation (1 changes nothing), and the turn of the hue (0 changes nothing)."""

    order: Int64[Tensor, "n 4"]
    """In which order the four columns of `amounts` come."""

    def part(self, start: int, stop: int) -> Colours:
        """Return what was drawn for the images `start` to `stop` (excluded)."""
        return Colours(amounts=self.amounts[start:stop], order=self.order[start:stop])


def draw_colours(settings: AugmentSettings, n: int, generator: torch.Generator) -> Colours | None:
    """Draw how the colours of n images vary; None, and nothing is drawn, if they don't.

    Factors are uniform in [max(0, 1 − s), 1 + s], turns in [−s, s], orders over all 24.

    Args:
        settings: how far: brightness, contrast, saturation, hue.
        n: number of images.
        generator: on the CPU; advanced by an amount that depends on n alone, if at all.
    """
    factors = torch.tensor((settings.brightness, settings.contrast, settings.saturation))
    if not (factors.any() or settings.hue):
        return None
    low = torch.cat(((1 - factors).clamp_min(0), torch.tensor([-settings.hue])))
    high = torch.cat((1 + factors, torch.tensor([settings.hue])))
    amounts = low + (high - low) * torch.rand(n, 4, generator=generator)
    return Colours(amounts=amounts, order=torch.rand(n, 4, generator=generator).argsort(1))


def recolour(x: Float[Tensor, "n c h w"], colours: Colours) -> Float[Tensor, "n c h w"]:
    """Return images in 0..1 with their colours varied as drawn; every step ends clamped to 0..1, as torchvision's does.

    - brightness f: f x.
    - contrast f: f x + (1 − f) m, m the image's mean grey (ITU-R 601 luma).
    - saturation f: f x + (1 − f) g, g the pixel's grey.
    - hue t: the pixel's hue in HSV turned by t of the circle.

    Grey images have neither saturation nor hue, and these leave them as they are.

    Args:
        x: images, of 1 or 3 channels.
        colours: what was drawn for each.

    Source: torchvision.transforms.v2.ColorJitter, on float images; its grey weighs red by 0.2989, ours by 0.299.

    >>> red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    >>> third = Colours(amounts=torch.tensor([[1.0, 1.0, 1.0, 1 / 3]]), order=torch.arange(4)[None])
    >>> recolour(red, third).flatten().tolist()
    [0.0, 1.0, 0.0]
    """
    x, amounts, order = x.clone(), colours.amounts.to(x), colours.order.to(x.device)
    for place in range(len(_CHANGES)):
        for number, (change, neutral) in enumerate(_CHANGES):
            amount = amounts[:, number]
            chosen = ((order[:, place] == number) & (amount != neutral)).nonzero()[:, 0]
            if len(chosen):
                x[chosen] = change(x[chosen], amount[chosen, None, None, None]).clamp_(0, 1)
    return x


def _brightness(x: Tensor, factor: Tensor) -> Tensor:
    return x * factor


def _contrast(x: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(_grey(x).mean((1, 2, 3), keepdim=True), x, factor)


def _saturation(x: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(_grey(x), x, factor)


def _hue(x: Tensor, turn: Tensor) -> Tensor:
    if x.shape[1] == 1:
        return x
    red, green, blue = x.unbind(1)
    value, span = x.amax(1), x.amax(1) - x.amin(1)
    divisor = torch.where(span == 0, 1, span)  # grey has no hue, and none is seen where the span is 0
    sixths = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    # Each channel falls from the value by the span, and rises again, along its own part of the circle.
    offset = torch.tensor((5.0, 3.0, 1.0), device=x.device, dtype=x.dtype).view(1, 3, 1, 1)
    place = (offset + (sixths[:, None] + 6 * turn)) % 6
    return value[:, None] - span[:, None] * torch.minimum(place, 4 - place).clamp(0, 1)


def _grey(x: Tensor) -> Tensor:
    if x.shape[1] == 1:
        return x
    red, green, blue = x.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]


_CHANGES: tuple[tuple[Callable[[Tensor, Tensor], Tensor], float], ...] = (
    (_brightness, 1.0),
    (_contrast, 1.0),
    (_saturation, 1.0),
    (_hue, 0.0),
)
"""The columns of `Colours.amounts`, each with the amount that changes nothing."""
