"""Random problems for the mixture's tests."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

WIDTHS = {"identity": 0, "isotropic": 1, "diagonal": None}


@dataclass
class Problem:
    """Features, labels and parameters; `prior_logits` (K,) is None for the uniform prior, `log_var` for the identity."""

    z: Tensor
    y: Tensor
    means: Tensor
    log_var: Tensor | None
    prior_logits: Tensor | None

    @property
    def log_prior(self) -> Tensor | None:
        """log p(k), a function of `prior_logits` that autograd follows."""
        return None if self.prior_logits is None else self.prior_logits.log_softmax(0)

    @property
    def prior(self) -> Tensor | None:
        """p(k), likewise."""
        return None if self.prior_logits is None else self.prior_logits.softmax(0)

    @property
    def leaves(self) -> list[Tensor]:
        """Everything that has a gradient."""
        return [t for t in (self.z, self.means, self.log_var, self.prior_logits) if t is not None]


def random_problem(
    covariance: str = "identity",
    *,
    prior: bool = False,
    n: int = 4,
    k: int = 5,
    d: int = 3,
    scale: float = 1.3,
    offset: float = 0.0,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> Problem:
    """Normal features and means of the given scale around `offset`; every tensor but y asks for gradients."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    z, means, prior_logits, log_var = draw(n, d) * scale + offset, draw(k, d) * scale + offset, draw(k), draw(k, d)
    width = WIDTHS[covariance]
    log_var = None if width == 0 else log_var[:, :width]
    y = torch.randint(0, k, (n,), generator=generator)

    def leaf(tensor: Tensor) -> Tensor:
        return tensor.to(dtype).clone().requires_grad_()

    return Problem(
        leaf(z),
        y,
        leaf(means),
        None if log_var is None else leaf(log_var),
        leaf(prior_logits) if prior else None,
    )
