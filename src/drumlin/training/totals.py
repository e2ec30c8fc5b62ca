"""What an epoch's log says of the loss: sums over its samples, of all processes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from drumlin.heads import HeadOutput
from drumlin.model import widest_float


class Totals:
    """Sums of the loss's terms and errors over an epoch."""

    def __init__(self, device: torch.device) -> None:
        self._count = 0
        self._sums: dict[str, Tensor] = {}
        self._device = device
        self._dtype = widest_float(device)

    def add(self, output: HeadOutput, y: Tensor) -> None:
        """Take a batch in."""
        self._count += len(y)
        for name, term in output.terms.items():
            self._accumulate(name, term.detach().sum())
        self._accumulate("error", (output.prediction != y).sum())

    def _accumulate(self, name: str, value: Tensor) -> None:
        value = value.to(self._dtype)
        self._sums[name] = self._sums[name] + value if name in self._sums else value

    def means(self, over_processes: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Return the mean of each term over the samples, and the share of errors; `over_processes` adds up those of all."""
        names = list(self._sums)
        values = torch.stack([*self._sums.values(), torch.tensor(self._count, dtype=self._dtype, device=self._device)])
        values = over_processes(values)
        return dict(zip(names, (values[:-1] / values[-1]).tolist(), strict=True))
