"""Features as a Gaussian mixture, one component a class, with a margin: GM (TPAMI) and L-GM (CVPR 2018)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from drumlin.functional import gm_log_density, gm_logits, gm_optimal_distance, mixture_terms
from drumlin.functional._numerics import floor
from drumlin.heads._checks import above, at_least, one_of
from drumlin.heads.base import Head, Reduction, _groups
from drumlin.settings.heads import Covariance, Likelihood, Margin, Matmul

_LOG_VAR_WIDTH: dict[str, Callable[[int], int]] = {
    "identity": lambda d: 0,
    "isotropic": lambda d: 1,
    "diagonal": lambda d: d,
}
_LOG_VAR_RATE = 0.1
"""Learning rate of log-variances, as a share of the network's: variances that race ahead of features run into the floor."""


class GaussianMixtureHead(Head):
    """A Gaussian a class in feature space; logits are log p(z, k), so energy is the density of the mixture.

    loss = CE with the true class's d_y replaced by (1+α) d_y or d_y + m, + λ × likelihood term, where
    d_k = ½ (z−μ_k)ᵀ Λ_k⁻¹ (z−μ_k). The bare default is GM: identity covariance and the mixture bound.

    Args:
        in_features: D.
        num_classes: K ≥ 2.
        covariance: "identity", "isotropic" (one variance a class) or "diagonal"; learned ones are floored at `min_var`.
        margin: α (adaptive) or m (constant), at least 0. Acts in training mode only.
        margin_kind: "adaptive" or "constant".
        likelihood: "mixture_bound" Σ_k p(k) (2 d_k + log|Λ_k|), or "component" d_y + ½ log|Λ_y|.
        likelihood_weight: λ ≥ 0. With the identity and the mixture bound it must stay below ½, or all means collapse.
        warmup_steps: training steps over which α (or m) and λ rise linearly from 0; counted in the state. λ=0.1 from the first
            step can pull a network into the origin.
        prior: p(k): None is uniform, a tensor (K,) of probabilities is fixed, "learned" is a parameter.
        min_var: floor under learned variances, above 0.
        class_chunk: classes a chunk; with it neither the loss nor `log_density` ever holds an (N, K) matrix, and
            `HeadOutput.logits` is None. None: all at once, and the loss in chunks where its matrices would exceed 1 GiB.
        matmul: precision of the products' operands: "float32" or "bfloat16". Sums stay float32, and so does the true class's distance.
        reduction: "mean", "sum" or "none". `optimal_distance` holds for "mean".

    Attributes:
        means: (K, D) parameter.

    Raises:
        ValueError: an argument outside its range.

    >>> head = GaussianMixtureHead.gm(2, 3, margin=1.0)
    >>> out = head(torch.zeros(4, 2), torch.tensor([0, 1, 2, 0]))
    >>> sorted(out.terms), out.logits.shape
    (['classification', 'likelihood'], torch.Size([4, 3]))

    Source: L eq. 4-18, T eq. 1-8, 17-20. Differs from them: losses are averaged, not summed (T's own analysis needs that);
    variances are stored as logarithms, with a floor, since the likelihood terms are unbounded below in them.
    """

    step: Tensor
    _log_prior: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        covariance: Covariance = "identity",
        margin: float = 0.3,
        margin_kind: Margin = "adaptive",
        likelihood: Likelihood = "mixture_bound",
        likelihood_weight: float = 0.1,
        warmup_steps: int = 0,
        prior: Tensor | str | None = None,
        min_var: float = 1e-3,
        class_chunk: int | None = None,
        matmul: Matmul = "float32",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(in_features, num_classes, reduction=reduction)
        one_of("covariance", covariance, get_args(Covariance))
        one_of("margin_kind", margin_kind, get_args(Margin))
        one_of("likelihood", likelihood, get_args(Likelihood))
        one_of("matmul", matmul, get_args(Matmul))
        at_least("margin", margin, 0)
        at_least("likelihood_weight", likelihood_weight, 0)
        at_least("warmup_steps", warmup_steps, 0)
        above("min_var", min_var, 0)
        if class_chunk is not None and not 1 <= class_chunk <= num_classes:
            raise ValueError(
                f"class_chunk must lie in 1..{num_classes} (the number of classes) or be None, got {class_chunk}"
            )
        if covariance == "identity" and likelihood == "mixture_bound" and likelihood_weight >= 0.5:
            raise ValueError(
                f"likelihood_weight must be below 0.5 with the identity covariance and the mixture bound, got {likelihood_weight}:"
                " from there on the optimum is distance 0 (all means collapse into one point)"
            )
        self.covariance = covariance
        self.margin = margin
        self.margin_kind = margin_kind
        self.likelihood = likelihood
        self.likelihood_weight = likelihood_weight
        self.warmup_steps = warmup_steps
        self.prior = prior
        self.min_var = min_var
        self.class_chunk = class_chunk
        self.matmul = matmul

        self.means = nn.Parameter(_room(num_classes, in_features))
        width = _LOG_VAR_WIDTH[covariance](in_features)
        self.log_var = nn.Parameter(torch.zeros(num_classes, width)) if width else None
        self.prior_logits = nn.Parameter(torch.zeros(num_classes)) if isinstance(prior, str) else None
        self.register_buffer("_log_prior", _fixed_log_prior(prior, num_classes))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self._floor_warned = False
        self.reset_parameters()

    @classmethod
    def gm(cls, in_features: int, num_classes: int, **options: Any) -> GaussianMixtureHead:
        """Return GM of the TPAMI paper: identity covariance, mixture bound (T eq. 1-8, 17-20)."""
        return cls(in_features, num_classes, **{"covariance": "identity", "likelihood": "mixture_bound"} | options)

    @classmethod
    def lgm(cls, in_features: int, num_classes: int, **options: Any) -> GaussianMixtureHead:
        """Return L-GM of the CVPR 2018 paper: diagonal covariances, the true class's component (L eq. 12-18)."""
        return cls(in_features, num_classes, **{"covariance": "diagonal", "likelihood": "component"} | options)

    def reset_parameters(self) -> None:
        """Draw means so that the expected squared distance of a pair is the optimum's at λ = 0.1; variances 1; prior uniform."""
        distance = gm_optimal_distance(self.num_classes, 0.1)
        nn.init.normal_(self.means, std=distance / math.sqrt(2 * self.in_features))
        for parameter in (self.log_var, self.prior_logits):
            if parameter is not None:
                nn.init.zeros_(parameter)

    @property
    def class_means(self) -> Tensor:
        """The means (K, D), detached."""
        return self.means.detach()

    @property
    def variances(self) -> Tensor:
        """Λ (K, D): the variances in use, floored at `min_var`; ones for the identity."""
        log_var = self._floored_log_var()
        return torch.ones_like(self.means) if log_var is None else log_var.exp().expand_as(self.means)

    @property
    def log_prior(self) -> Tensor | None:
        """log p(k) (K,); None if uniform."""
        return self._log_prior if self.prior_logits is None else self.prior_logits.log_softmax(0)

    def logits(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return log p(z, k) (N, K), constants included; the log-sum-exp over k is log p(z)."""
        return gm_logits(z, self.means, self._floored_log_var(), self.log_prior, matmul=self.matmul)

    def log_density(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Return log p(z) (N,) under the mixture, in nats (L eq. 4)."""
        given = self.means, self._floored_log_var(), self.log_prior
        return gm_log_density(z, *given, class_chunk=self.class_chunk, matmul=self.matmul)

    def component_log_prob(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return log p(z|k) (N, K): each class's own density, without its prior, in nats."""
        uniform = self.means.new_zeros(self.num_classes)
        return gm_logits(z, self.means, self._floored_log_var(), uniform, matmul=self.matmul)

    def optimal_distance(self) -> float:
        """Return the distance between means at the optimum of the loss (T eq. 16).

        Raises:
            ValueError: there is none in closed form; the message says why.
        """
        if self.covariance != "identity":
            raise ValueError(
                "there is no finite optimal distance with learned covariances: they shrink with the features"
            )
        if self.likelihood != "mixture_bound":
            raise ValueError(
                "there is no finite optimal distance with the component likelihood: means drift apart without end"
            )
        if self.prior is not None:
            raise ValueError("the optimal distance is known for a uniform prior only")
        if self.reduction != "mean":
            raise ValueError(f"the optimal distance is known for reduction='mean', this head has {self.reduction!r}")
        if self.in_features < self.num_classes - 1:
            raise ValueError(
                f"{self.num_classes} means at equal distances need at least {self.num_classes - 1} feature dimensions,"
                f" this head has {self.in_features}"
            )
        constant = self.margin if self.margin_kind == "constant" else 0.0
        return gm_optimal_distance(self.num_classes, self.likelihood_weight, constant)

    def param_groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return groups without weight decay, and a tenth of the learning rate for log-variances."""
        others = [p for p in (self.means, self.prior_logits) if p is not None]
        slow = [] if self.log_var is None else [self.log_var]
        return _groups(
            {"params": others, "lr": lr, "weight_decay": 0.0},
            {"params": slow, "lr": lr * _LOG_VAR_RATE, "weight_decay": 0.0},
        )

    def _terms(self, z: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor | None, Callable[[], Tensor | None]]:
        ramp = self._advance_warmup() if self.training else 1.0
        terms = mixture_terms(
            z,
            y,
            self.means,
            self._floored_log_var(),
            self.log_prior,
            margin=self.margin * ramp if self.training else 0.0,
            margin_kind=self.margin_kind,
            likelihood=self.likelihood,
            likelihood_weight=self.likelihood_weight * ramp,
            class_chunk=self.class_chunk,
            matmul=self.matmul,
        )
        weighted = {"classification": terms.classification, "likelihood": terms.likelihood}
        return weighted, terms.running_prediction, lambda: terms.logits

    def _advance_warmup(self) -> float:
        """Return the ramp's value for this step, 0 at the first and 1 from `warmup_steps` on, and count the step."""
        if self.warmup_steps == 0:
            return 1.0
        ramp = min(1.0, int(self.step) / self.warmup_steps)
        self.step += 1
        return ramp

    def _floored_log_var(self) -> Tensor | None:
        """Return log-variances (K, D) or (K, 1), floored, and warn once when most of them lie on the floor."""
        if self.log_var is None:
            return None
        low = math.log(self.min_var)
        # As nearly always there is nothing to do, forward or backward; on a GPU asking would wait for it.
        if not self.log_var.is_cuda and bool(self.log_var.amin() >= low):
            return self.log_var
        if self.training and not self._floor_warned and bool((self.log_var < low).float().mean() > 0.5):
            self._floor_warned = True
            warnings.warn(
                f"more than half of the variances have reached the floor min_var={self.min_var}: features and variances are"
                " shrinking together; lower likelihood_weight, or raise min_var",
                stacklevel=3,
            )
        return floor(self.log_var, low)

    def extra_repr(self) -> str:
        """Return the settings, for `repr`."""
        shown = (
            "covariance",
            "margin",
            "margin_kind",
            "likelihood",
            "likelihood_weight",
            "warmup_steps",
            "class_chunk",
            "matmul",
        )
        return ", ".join([super().extra_repr(), *(f"{name}={getattr(self, name)!r}" for name in shown)])


def _room(num_classes: int, in_features: int) -> Tensor:
    """Return memory for a parameter (K, D), or say how much it takes."""
    try:
        return torch.empty(num_classes, in_features)
    except (RuntimeError, MemoryError) as error:
        size = num_classes * in_features * torch.get_default_dtype().itemsize / 2**30
        raise ValueError(
            f"{num_classes} means of {in_features} dimensions take {size:,.1f} GiB, more than there is; training takes that again for"
            " gradients, and for the optimiser"
        ) from error


def _fixed_log_prior(prior: Tensor | str | None, num_classes: int) -> Tensor | None:
    if prior is None or prior == "learned":
        return None
    if isinstance(prior, str):
        raise ValueError(
            f"prior must be None (uniform), a tensor of {num_classes} probabilities, or 'learned', got {prior!r}"
        )
    if prior.shape != (num_classes,) or not bool((prior > 0).all()) or abs(float(prior.sum()) - 1) > 1e-4:
        raise ValueError(f"prior must be {num_classes} positive probabilities that sum to 1, got {prior.tolist()}")
    return prior.to(torch.get_default_dtype()).log()
