"""What images a classifier takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What images a classifier takes: [0, 1], channels, (height, width) or None for any, and its normalisation."""

    channels: int
    size: tuple[int, int] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels:
                raise ValueError(f"{name} must have one value for each of {self.channels} channels, got {values}")
        if min(self.std) <= 0:
            raise ValueError(f"std must be positive, got {self.std}")
