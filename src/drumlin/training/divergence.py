"""A training that leaves the finite numbers, or is lost without leaving them: where, and what to try."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from drumlin.heads import Head, HeadOutput
from drumlin.model import Classifier


class TrainingError(ValueError):
    """The loss, or what it led to, is no longer a finite number; the message says where, and what to try."""


def _advice(head: Head, last: str) -> str:
    """Return what to try; a warm-up of the head only where it has one."""
    warmup = "a longer warm-up of the head (--head.warmup-steps), " if hasattr(head, "warmup_steps") else ""
    return f"try a lower --optimizer.lr, --grad-clip 1, {warmup}or {last}"


def _advice_finite(head: Head) -> str:
    return _advice(head, "--precision float32")


def check_finite(classifier: Classifier, epoch: int) -> None:
    """Refuse weights that the epoch's last step may have spoilt: no loss has seen them, and the checkpoint must not."""
    bad = [name for name, value in classifier.state_dict().items() if not bool(value.isfinite().all())]
    if bad:
        raise TrainingError(
            f"the model is no longer finite after the last step of epoch {epoch + 1} (first in {bad[0]}):"
            f" {_advice_finite(classifier.head)}"
        )


def diverged(output: HeadOutput, epoch: int, index: int, head: Head) -> TrainingError:
    """Return the error of a loss that is not finite."""
    bad = [name for name, term in output.terms.items() if not bool(term.isfinite().all())]
    return TrainingError(
        f"the loss is {output.loss.item()} at step {index + 1} of epoch {epoch + 1}"
        f" (term: {', '.join(bad) or 'their sum'}): {_advice_finite(head)}"
    )


_AT_CHANCE, _ABOVE_CHANCE = 0.98, 0.8
"""Of the error of naming the commonest class: from what share on a training is as bad, and up to which it has learned something.

GM on the whole `fast-32` at a rate of 3 falls from 43% in the second epoch to 86%, then 90% of ten classes, and stays there.
"""


def warn_if_lost(history: Sequence[Mapping[str, Any]], chance: float, epochs: int, head: Head) -> None:
    """Warn of a training that has fallen to guessing in the last of its epochs so far, or that ends there after more than one.

    Its numbers stay finite: features in one point, or far out and without order, have a loss. It can go on so to its last epoch.

    Args:
        history: the records of the epochs so far, as in training.jsonl.
        chance: the training error of naming the commonest class always, in [0, 1].
        epochs: how many the training has.
        head: what is trained; names what to try.
    """
    *before, last = (record["train_error"] for record in history)
    if chance == 0 or last < _AT_CHANCE * chance:
        return
    best, done = min(before, default=1.0), len(history)
    guessing = f"training error {last:.1%} in epoch {done}, no better than naming the commonest class"
    advice = _advice(head, "a --backbone.feature-scale below 1")
    if best <= _ABOVE_CHANCE * chance and before[-1] < _AT_CHANCE * chance:
        warnings.warn(f"{guessing}, after {best:.1%}: the training has collapsed, and may stay so; {advice}")
    elif done == epochs > 1:
        warnings.warn(
            f"{guessing}, and that was the last epoch: nothing is learned; unless it was too short (--epochs), {advice}"
        )
