"""A training that leaves the finite numbers: where, and what to try."""

from __future__ import annotations

from drumlin.heads import Head, HeadOutput
from drumlin.model import Classifier


class TrainingError(ValueError):
    """The loss, or what it led to, is no longer a finite number; the message says where, and what to try."""


def _advice(head: Head) -> str:
    """Return what to try; a warm-up of the head only where it has one."""
    warmup = "a longer warm-up of the head (--head.warmup-steps), " if hasattr(head, "warmup_steps") else ""
    return f"try a lower --optimizer.lr, --grad-clip 1, {warmup}or --precision float32"


def check_finite(classifier: Classifier, epoch: int) -> None:
    """Refuse weights that the epoch's last step may have spoilt: no loss has seen them, and the checkpoint must not."""
    bad = [name for name, value in classifier.state_dict().items() if not bool(value.isfinite().all())]
    if bad:
        raise TrainingError(
            f"the model is no longer finite after the last step of epoch {epoch + 1} (first in {bad[0]}):"
            f" {_advice(classifier.head)}"
        )


def diverged(output: HeadOutput, epoch: int, index: int, head: Head) -> TrainingError:
    """Return the error of a loss that is not finite."""
    bad = [name for name, term in output.terms.items() if not bool(term.isfinite().all())]
    return TrainingError(
        f"the loss is {output.loss.item()} at step {index + 1} of epoch {epoch + 1}"
        f" (term: {', '.join(bad) or 'their sum'}): {_advice(head)}"
    )
