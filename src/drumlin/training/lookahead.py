"""Weights that look ahead: every few steps they are drawn back towards their own average."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from drumlin.settings.run import LookaheadSettings


class Lookahead:
    """Slow weights θ behind the fast ones φ that the optimiser moves.

    Every `every` steps of an epoch, and after its last, θ ← ρθ + (1 − ρ)φ and φ ← θ, where

        ρ = decayᵉᵛᵉʳʸ · sᵖᵒʷᵉʳ,  s the share of the training that is done;

    before `start` of it nothing happens. At the beginning of an epoch both are the same, so a checkpoint need not hold θ. Buffers of
    floating point, such as running statistics, go with the weights; the optimiser's state stays.

    Args:
        model: whose state it is.
        settings: how often, how far.

    Source: Zhang, Lucas, Hinton and Ba, Lookahead Optimizer: k steps forward, 1 step back, 2019 (arXiv 1907.08610), Algorithm 1, is
    `power=0` with 1 − ρ for its α. That ρ grows with the training, and that running statistics are averaged, too, is from Jordan,
    94% on CIFAR-10 in 3.29 Seconds on a Single GPU, 2024 (arXiv 2404.00498), section 3.4. The first knows no epochs; the
    code of the second (airbench94.py) discards the steps since the last average at an epoch's end, which are averaged here.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.zeros_(model.weight)
    >>> lookahead = Lookahead(model, LookaheadSettings(every=2, decay=0.5, power=0.0, start=0.0))
    >>> lookahead.begin()
    >>> for step in range(1, 3):
    ...     _ = model.weight.data.add_(1.0)
    ...     lookahead.after(step, step / 10, last=False)
    >>> model.weight.item()  # a quarter of 0 and three of 2
    1.5
    """

    def __init__(self, model: nn.Module, settings: LookaheadSettings) -> None:
        self.settings = settings
        self._model = model
        self._slow: list[Tensor] = []

    def _fast(self) -> list[Tensor]:
        learned = [p for p in self._model.parameters() if p.requires_grad]
        return learned + [b for b in self._model.buffers() if b.is_floating_point()]

    @torch.no_grad()
    def begin(self) -> None:
        """Begin an epoch: the slow weights are the fast ones."""
        if self.settings.every:
            self._slow = [value.clone() for value in self._fast()]

    @torch.no_grad()
    def after(self, step: int, share: float, *, last: bool) -> None:
        """Take note of a step of the optimiser, and draw the weights back if it is time.

        Args:
            step: of this epoch, from 1.
            share: of the whole training that is done, this step included.
            last: whether it is the epoch's last one.
        """
        settings = self.settings
        if not settings.every or not (last or step % settings.every == 0):
            return
        keep = settings.decay**settings.every * share**settings.power if share >= settings.start else 0.0
        for slow, fast in zip(self._slow, self._fast(), strict=True):
            slow.lerp_(fast, 1 - keep)
            fast.copy_(slow)
