"""What can be set of each head, without torch: the command line's flags and a run's configuration are made of these."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from drumlin._io import unknown

Covariance = Literal["identity", "isotropic", "diagonal"]
Margin = Literal["adaptive", "constant"]
Likelihood = Literal["mixture_bound", "component"]
Matmul = Literal["float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class HeadSettings:
    """What every head's settings share: the name they are found by."""

    _name: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """The name by which `head_settings` finds this head."""
        return self._name


@dataclass(frozen=True, kw_only=True)
class SoftmaxSettings(HeadSettings):
    """A linear layer under softmax cross entropy (L eq. 1-2)."""

    _name: ClassVar[str] = "softmax"

    bias: bool = True
    """Whether the linear layer has a bias."""
    label_smoothing: float = 0.0
    """Probability mass moved from the true class to all classes alike, in [0, 1)."""


@dataclass(frozen=True, kw_only=True)
class GaussianMixtureSettings(HeadSettings):
    """A Gaussian a class with a margin; by default GM of the TPAMI paper (T eq. 1-8, 17-20): identity covariance, mixture bound."""

    _name: ClassVar[str] = "gm"

    covariance: Covariance = "identity"
    """Covariance of each class: identity, isotropic (one variance a class) or diagonal."""
    margin: float = 0.3
    """α of an adaptive margin (a factor), or m of a constant one (nats), at least 0."""
    margin_kind: Margin = "adaptive"
    """The true class's distance d becomes (1 + α) d if adaptive, d + m if constant."""
    likelihood: Likelihood = "mixture_bound"
    """Likelihood term: the bound on the whole mixture (T eq. 7), or the true class's component (L eq. 10)."""
    likelihood_weight: float = 0.1
    """λ, the weight of the likelihood term, at least 0."""
    warmup_steps: int | None = None
    """Training steps over which margin and likelihood weight ramp up from 0. None: the first quarter of the training."""
    learned_prior: bool = False
    """Learn p(k); otherwise it is uniform."""
    min_var: float = 1e-3
    """Floor under the learned variances."""
    class_chunk: int | None = None
    """Classes a chunk; with it the (samples, classes) matrix is never held. None: all at once."""
    matmul: Matmul = "float32"
    """Precision of the operands of the matrix products; sums and the true class's distance stay float32."""


@dataclass(frozen=True, kw_only=True)
class LargeMarginSettings(GaussianMixtureSettings):
    """L-GM of the CVPR 2018 paper (L eq. 12-18): learned diagonal covariances, likelihood of the true class's component."""

    _name: ClassVar[str] = "lgm"

    covariance: Covariance = "diagonal"
    likelihood: Likelihood = "component"


HEADS: dict[str, type[HeadSettings]] = {
    kind._name: kind for kind in (SoftmaxSettings, GaussianMixtureSettings, LargeMarginSettings)
}
"""Every head's settings by its name."""


def head_settings(name: str, **fields: Any) -> HeadSettings:
    """Return the settings of the head called `name`, its defaults replaced by `fields`.

    Raises:
        ValueError: an unknown name or field; the message names the nearest.

    >>> head_settings("lgm").covariance, head_settings("gm", margin=1.0).margin
    ('diagonal', 1.0)
    """
    if name not in HEADS:
        raise unknown("head", name, HEADS)
    known = [field.name for field in dataclasses.fields(HEADS[name])]
    for field in fields:
        if field not in known:
            raise unknown(f"setting of head {name!r}", field, known)
    return HEADS[name](**fields)
