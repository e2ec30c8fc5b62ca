"""When a number that is right says little."""

from __future__ import annotations

_MOST = 0.5


def weak_model(error: float | None) -> str | None:
    """Return what is to be said beside AUROCs of a model that errs on more than half of its test images; None of a better one.

    What such a model takes for normal is not what it was to learn: a high AUROC then tells images apart, but not by their class.

    Args:
        error: of the test images, a fraction; None where it is not known.

    >>> weak_model(0.02) is None
    True
    >>> weak_model(0.72)
    'The model errs on 72% of the test images: how well its scores tell images apart says little about it.'
    """
    if error is None or error <= _MOST:
        return None
    return (
        f"The model errs on {error:.0%} of the test images: how well its scores tell images apart says little about it."
    )
