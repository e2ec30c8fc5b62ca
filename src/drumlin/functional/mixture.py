"""Gaussian mixtures with a margin: log densities, the losses of L-GM and GM, and where GM's means come to rest.

Sources: W. Wan et al., Rethinking Feature Distribution for Loss Functions in Image Classification, CVPR 2018 (**L**); W. Wan et
al., Shaping Deep Feature Space towards Gaussian Mixture for Visual Classification, TPAMI 2023 (**T**).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from drumlin.functional._blocks import log_constant, log_determinant
from drumlin.functional._fused import fused_mixture
from drumlin.functional._numerics import compute_dtype, zero_tiny_gradients
from drumlin.functional._products import PRODUCTS
from drumlin.functional._terms import MixtureOptions, MixtureTerms

_DENSE_BYTES = 1 << 30
_CHUNK_BYTES = 1 << 26


def _uniform_log_prior(means: Tensor) -> Tensor:
    return means.new_full((means.shape[0],), -math.log(means.shape[0]))


def gm_logits(
    z: Float[Tensor, "n d"],
    means: Float[Tensor, "k d"],
    log_var: Float[Tensor, "k _"] | None = None,
    log_prior: Float[Tensor, " k"] | None = None,
    *,
    matmul: str = "float32",
) -> Float[Tensor, "n k"]:
    """Return log p(z, k) = log p(k) − ½ log|Λ_k| − d_k − (D/2) log 2π, d_k = ½ (z−μ_k)ᵀ Λ_k⁻¹ (z−μ_k).

    Its softmax is p(k|z), its log-sum-exp is log p(z). Computed in float32 (float64 if an argument is), whatever autocast
    says, by matrix products of centred operands: nothing of size (N, K, D) exists. Twice differentiable.

    Args:
        z: features (N, D).
        means: μ (K, D).
        log_var: log of the variances: (K, D) diagonal, (K, 1) isotropic, None for the identity.
        log_prior: log p(k) (K,); None is uniform.
        matmul: precision of the products' operands, "float32" or "bfloat16".

    Returns:
        (N, K), constants included.

    >>> gm_logits(torch.zeros(1, 1), torch.tensor([[0.0], [2.0]])).softmax(1)
    tensor([[0.8808, 0.1192]])

    Source: L eq. 4-6, 13.
    """
    dtype = compute_dtype(z, means)
    with torch.autocast(device_type=z.device.type, enabled=False):
        z, means = z.to(dtype), means.to(dtype)
        log_prior = _uniform_log_prior(means) if log_prior is None else log_prior.to(dtype)
        centre = means.detach().mean(0)
        z, means = z - centre, means - centre
        constant, inverse, scaled = log_prior - log_constant(z.shape[1]), means.new_ones(means.shape[0], 1), means
        if log_var is not None:
            log_var = log_var.to(dtype)
            constant, inverse = constant - 0.5 * log_determinant(log_var, z.shape[1]), torch.exp(-log_var)
            scaled = means * inverse
        constant = constant - 0.5 * (scaled * means).sum(1)
        product, half_square = PRODUCTS[matmul], 0.5 * z.square()
        if inverse.shape[1] == 1:
            logits = constant - half_square.sum(1, keepdim=True) * inverse.T
        else:  # what the classes have in common is not rounded
            shared = inverse.detach().mean(0)
            logits = product(constant - torch.mv(half_square, shared)[:, None], half_square, (shared - inverse).T)
        return zero_tiny_gradients(product(logits, z, scaled.T))


def gm_log_density(
    z: Float[Tensor, "n d"],
    means: Float[Tensor, "k d"],
    log_var: Float[Tensor, "k _"] | None = None,
    log_prior: Float[Tensor, " k"] | None = None,
    *,
    class_chunk: int | None = None,
    matmul: str = "float32",
) -> Float[Tensor, " n"]:
    """Return log p(z) = log Σ_k p(k) N(z; μ_k, Λ_k), in nats.

    With `class_chunk` nothing of size (N, K) is held, with or without gradients: a chunk's densities are made anew in the backward
    pass. Twice differentiable without it.

    Args:
        z, means, log_var, log_prior, matmul: as in `gm_logits`.
        class_chunk: classes a chunk, at least 1; None is all at once.

    Raises:
        ValueError: a chunk below 1.

    >>> gm_log_density(torch.zeros(1, 2), torch.zeros(3, 2), class_chunk=2)  # one normal density: −log 2π
    tensor([-1.8379])

    Source: L eq. 4, T eq. 1.
    """
    _check_chunk(class_chunk)
    if class_chunk is None or class_chunk >= means.shape[0]:
        return gm_logits(z, means, log_var, log_prior, matmul=matmul).logsumexp(1)
    log_prior = _uniform_log_prior(means) if log_prior is None else log_prior

    def part(z: Tensor, means: Tensor, log_var: Tensor | None, log_prior: Tensor) -> Tensor:
        return gm_logits(z, means, log_var, log_prior, matmul=matmul).logsumexp(1)

    parts = []
    for start in range(0, means.shape[0], class_chunk):
        own = slice(start, start + class_chunk)
        given = z, means[own], None if log_var is None else log_var[own], log_prior[own]
        parts.append(checkpoint(part, *given, use_reentrant=False))
    return torch.stack(parts).logsumexp(0)


def _check_chunk(class_chunk: int | None) -> None:
    if class_chunk is not None and class_chunk < 1:
        raise ValueError(f"class_chunk must be at least 1, or None for all classes at once, got {class_chunk}")


def mixture_terms(
    z: Float[Tensor, "n d"],
    y: Int[Tensor, " n"],
    means: Float[Tensor, "k d"],
    log_var: Float[Tensor, "k _"] | None = None,
    log_prior: Float[Tensor, " k"] | None = None,
    *,
    margin: float = 0.0,
    margin_kind: str = "adaptive",
    likelihood: str = "mixture_bound",
    likelihood_weight: float = 1.0,
    class_chunk: int | None = None,
    matmul: str = "float32",
) -> MixtureTerms:
    """Return the classification and likelihood terms of a Gaussian mixture, a value a sample, prediction and logits.

    classification = −log softmax(log p(z, k))_y with the true class's d_y replaced by (1+α) d_y (adaptive) or d_y + m (constant);
    likelihood = d_y + ½ log|Λ_y| (component, L eq. 10), or Σ_k p(k) (2 d_k + log|Λ_k|) with p(k) held constant (mixture_bound;
    T eq. 7 for Λ = I and a uniform prior). The true class's distance is computed directly, as (z−μ_y)², in float32 or float64.

    Args:
        z: features (N, D), N ≥ 1.
        y: labels (N,) in 0..K−1.
        means, log_var, log_prior, matmul: as in `gm_logits`.
        margin: α or m, at least 0.
        margin_kind: "adaptive" or "constant".
        likelihood: "mixture_bound" or "component".
        likelihood_weight: a factor on the likelihood term.
        class_chunk: classes a chunk; then nothing of size (N, K) exists and `logits` is None. None: all at once, unless logits and
            posteriors would take more than 1 GiB; then chunks of 64 MiB.

    Raises:
        ValueError: an unknown word, or a chunk below 1.

    Returns:
        MixtureTerms with classification, likelihood, prediction and logits. The logits are without margin, and detached.

    >>> terms = mixture_terms(torch.zeros(1, 1), torch.tensor([1]), torch.tensor([[0.0], [2.0]]))
    >>> float(terms.classification), float(terms.likelihood), int(terms.prediction)
    (2.1269280910491943, 2.0, 0)

    Source: L eq. 12-18, T eq. 3-8, 17-20. Gradients in closed form: L eq. 19-23.
    """
    for name, value, known in (
        ("margin_kind", margin_kind, ("adaptive", "constant")),
        ("likelihood", likelihood, ("mixture_bound", "component")),
        ("matmul", matmul, tuple(PRODUCTS)),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    _check_chunk(class_chunk)
    adaptive = margin_kind == "adaptive"
    options = MixtureOptions(
        factor=margin if adaptive else 0.0,
        shift=0.0 if adaptive else margin,
        bound=likelihood == "mixture_bound",
        weight=likelihood_weight,
        class_chunk=class_chunk or _chunk_by_memory(z.shape[0], means.shape[0]),
        matmul=matmul,
    )
    dtype = compute_dtype(z, means)
    z, means = z.to(dtype), means.to(dtype)
    log_var, log_prior = (None if values is None else values.to(dtype) for values in (log_var, log_prior))
    return fused_mixture(z, y, means, log_var, log_prior, options)


def _chunk_by_memory(num_samples: int, num_classes: int) -> int | None:
    """Return the classes a chunk where logits and posteriors of all of them are too large, else None."""
    if 2 * 4 * num_samples * num_classes <= _DENSE_BYTES:
        return None
    return max(1, min(num_classes, _CHUNK_BYTES // (4 * num_samples)))


def lgm_loss(
    z: Float[Tensor, "n d"],
    y: Int[Tensor, " n"],
    means: Float[Tensor, "k d"],
    log_var: Float[Tensor, "k _"],
    *,
    margin: float = 0.3,
    likelihood_weight: float = 0.1,
    log_prior: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, " n"]:
    """Return the large-margin Gaussian mixture loss of each sample: cross entropy with d_y → (1+α) d_y, + λ(d_y + ½ log|Λ_y|).

    Args are those of `mixture_terms`; `margin` is α, `likelihood_weight` is λ.

    >>> z, y, means = torch.zeros(1, 1), torch.tensor([0]), torch.tensor([[1.0], [-1.0]])
    >>> lgm_loss(z, y, means, torch.zeros(2, 1), margin=1.0, likelihood_weight=0.1)  # log(1 + e^0.5) + 0.05
    tensor([1.0241])

    Source: L eq. 17-18.
    """
    terms = mixture_terms(z, y, means, log_var, log_prior, margin=margin, likelihood="component")
    return terms.classification + likelihood_weight * terms.likelihood


def gm_loss(
    z: Float[Tensor, "n d"],
    y: Int[Tensor, " n"],
    means: Float[Tensor, "k d"],
    *,
    margin: float = 0.3,
    likelihood_weight: float = 0.1,
    log_prior: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, " n"]:
    """Return the GM loss of each sample: cross entropy with d_y → (1+α) d_y at Λ = I, + λ (1/K) Σ_k ‖z−μ_k‖².

    Args are those of `mixture_terms`; `margin` is α, `likelihood_weight` is λ. Where priors are given they stand in the place of 1/K.

    >>> gm_loss(torch.zeros(1, 1), torch.tensor([0]), torch.tensor([[1.0], [-1.0]]), margin=1.0, likelihood_weight=0.1)
    tensor([1.0741])

    Source: T eq. 1-8, 17-20.
    """
    terms = mixture_terms(z, y, means, None, log_prior, margin=margin)
    return terms.classification + likelihood_weight * terms.likelihood


def gm_optimal_distance(num_classes: int, likelihood_weight: float, margin: float = 0.0) -> float:
    """Return the distance between any two class means at the optimum of the GM loss.

    With r = 2λ(K−1)/K and u = r/(1−r), d² = 2 (ln((K−1)/u) + m), for mean reduction, Λ = I, a uniform prior, the mixture bound and
    D ≥ K−1 (means on a regular simplex). The true class's posterior there is 1 − r: GM is under-confident by design.

    Args:
        num_classes: K ≥ 2.
        likelihood_weight: λ in (0, ½). From ½ on the optimum is 0: all means collapse into one point.
        margin: m of a constant margin; an adaptive one does not move the optimum.

    Raises:
        ValueError: K < 2, or λ outside (0, ½): there is no such optimum.

    >>> round(gm_optimal_distance(10, 0.1), 3)
    2.725

    Source: T eq. 16.
    """
    if num_classes < 2:
        raise ValueError(f"num_classes must be at least 2 for means to have a distance, got {num_classes}")
    if not 0 < likelihood_weight < 0.5:
        raise ValueError(
            f"likelihood_weight must lie strictly between 0 and 0.5, got {likelihood_weight}: at 0 the means drift apart without"
            " end, from 0.5 on the optimum is distance 0 (all means collapse into one point)"
        )
    r = 2 * likelihood_weight * (num_classes - 1) / num_classes
    return math.sqrt(2 * (math.log((num_classes - 1) * (1 - r) / r) + margin))
