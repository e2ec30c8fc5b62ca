"""Randomness that belongs to each image, whatever it is attacked together with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


class Streams:
    """A random stream for each of N images: the same values however the images are split into batches.

    Args:
        x: images (N, C, H, W), whose shape, type and device the values have.
        generator: what the streams are seeded from; it moves on by one number an image.
    """

    def __init__(self, x: Float[Tensor, "n c h w"], generator: torch.Generator | None) -> None:
        seeds = torch.randint(2**62, (len(x),), generator=generator).tolist()
        self._streams = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._like = x

    def uniform(self) -> Float[Tensor, "n c h w"]:
        """Return the next values, uniform in [0, 1)."""
        return self._next(torch.rand)

    def normal(self) -> Float[Tensor, "n c h w"]:
        """Return the next values, standard normal."""
        return self._next(torch.randn)

    def _next(self, draw: Callable[..., Tensor]) -> Tensor:
        like = self._like
        values = [draw(like.shape[1:], generator=stream, dtype=like.dtype) for stream in self._streams]
        return torch.stack(values).to(like.device) if values else torch.empty_like(like)
