"""What is measured of a model while it is trained: after every epoch, and every so many steps where that is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from drumlin.data import ImageFiles, Images
from drumlin.features import evaluation_mode
from drumlin.model import Classifier

Probe = Callable[[Classifier, Images | ImageFiles, Images | ImageFiles], Mapping[str, float]]
"""(classifier in evaluation mode, training images, hold-out) → finite numbers by name."""


@dataclass(frozen=True, eq=False)
class Follower:
    """Measures a model under way, and leaves no trace in it.

    Attributes:
        classifier: in training.
        images: it is trained on.
        holdout: it is not; may be empty.
        probe: what is measured besides the error on the hold-out.
        every: steps between two measurements within an epoch; None for none there.
    """

    classifier: Classifier
    images: Images | ImageFiles
    holdout: Images | ImageFiles
    probe: Probe | None = None
    every: int | None = None

    def due(self, steps: int) -> bool:
        """Return whether to measure after so many steps from the beginning, though the epoch goes on."""
        return self.every is not None and steps % self.every == 0

    def measure(self) -> dict[str, Any]:
        """Return `holdout_error` and what the probe says."""
        return {"holdout_error": self.holdout_error()} | self.probed()

    @torch.no_grad()
    def holdout_error(self) -> float | None:
        """Return the share of held-out images that are taken for another class; None where nothing is held out."""
        if len(self.holdout) == 0:
            return None
        wrong, device = 0, self.classifier.device
        with evaluation_mode(self.classifier):
            for x, y in self.holdout.batches(500):
                wrong += int((self.classifier(x.to(device)).argmax(1).cpu() != y).sum())
        return wrong / len(self.holdout)

    @torch.no_grad()
    def probed(self) -> dict[str, Any]:
        """Return under `probe` what the probe says, None where not finite; nothing without one."""
        if self.probe is None:
            return {}
        with evaluation_mode(self.classifier):
            said = self.probe(self.classifier, self.images, self.holdout)
        return {"probe": {name: value if math.isfinite(value) else None for name, value in said.items()}}
