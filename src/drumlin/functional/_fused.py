"""The loss of a Gaussian mixture with a margin, fused: forward and backward over blocks of classes.

Blocks of means stay in the processor's cache while they are centred, multiplied and differentiated, so that the parameters
are read from memory about as often as a linear layer's. With `class_chunk` the log joint densities are recomputed in the
backward pass instead of kept, and nothing of size (N, K) ever exists.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from drumlin.functional._covariance import Identity, covariance_of, log_constant
from drumlin.functional._numerics import smallest_useful
from drumlin.functional._products import PRODUCTS

_CACHE_BLOCK = 1024
"""Classes a block on a CPU: at D=512, 2 MiB of means in float32."""


@dataclass(frozen=True)
class MixtureOptions:
    """What the fused loss needs beside tensors: margins α (a factor) and m (nats), the likelihood term, chunk and precision."""

    factor: float
    shift: float
    bound: bool
    class_chunk: int | None
    matmul: str


class MixtureTerms(NamedTuple):
    """Per-sample results: cross entropy (N,), likelihood term without its weight (N,), prediction (N,), logits (N, K) or None."""

    classification: Tensor
    likelihood: Tensor
    prediction: Tensor
    logits: Tensor | None


@dataclass
class _Block:
    """A block of classes: their range, centred means, log-variances, log-priors, and the samples whose class is among them."""

    start: int
    stop: int
    means: Tensor
    log_var: Tensor | None
    log_prior: Tensor
    rows: Tensor
    columns: Tensor


def _blocks(
    means: Tensor, log_var: Tensor | None, log_prior: Tensor, centre: Tensor, y: Tensor, size: int
) -> Iterator[_Block]:
    for start in range(0, means.shape[0], size):
        stop = min(start + size, means.shape[0])
        rows = torch.nonzero((y >= start) & (y < stop)).squeeze(1)
        yield _Block(
            start,
            stop,
            means[start:stop] - centre,
            None if log_var is None else log_var[start:stop],
            log_prior[start:stop],
            rows,
            y[rows] - start,
        )


def _log_joint(kind: Identity, block: _Block, dimension: int) -> Tensor:
    """Return log p(z, k) (N, B) of a block's classes, by the expanded distance."""
    constant = block.log_prior - kind.log_determinant(block.log_var, dimension) * 0.5 - log_constant(dimension)
    return kind.negative_distance(block.means, block.log_var).add_(constant)


class _FusedMixture(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        y: Tensor,
        means: Tensor,
        log_var: Tensor | None,
        log_prior: Tensor,
        options: MixtureOptions,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        num_samples, dimension = z.shape
        num_classes = means.shape[0]
        kind = covariance_of(log_var)
        # The centre only has to be near the data for the expansion to be accurate: distances do not depend on it.
        centre = z.mean(0)
        distances = kind(z - centre, PRODUCTS[options.matmul])

        own_log_var = None if log_var is None else log_var[y]
        own_log_det = torch.as_tensor(kind.log_determinant(own_log_var, dimension), dtype=z.dtype, device=z.device)
        own_distance = (z - means[y]).square_().mul_(kind.inverse_variance(own_log_var)).sum(1).mul_(0.5)
        own_joint = log_prior[y] - own_log_det * 0.5 - log_constant(dimension) - own_distance

        negligible, lowest = math.log(smallest_useful(z.dtype)), torch.finfo(z.dtype).min
        size = options.class_chunk or (num_classes if z.is_cuda else _CACHE_BLOCK)
        logits = None if options.class_chunk else z.new_empty(num_samples, num_classes)
        best = z.new_full((num_samples,), -torch.inf)
        others = best.clone()
        prediction = torch.zeros_like(y)
        weight = first = constant = z.new_zeros(())
        for block in _blocks(means, log_var, log_prior, centre, y, size):
            joint = _log_joint(distances, block, dimension)
            if logits is not None:
                logits[:, block.start : block.stop] = joint
            joint[block.rows, block.columns] = lowest
            top, index = joint.max(1)
            prediction = torch.where(top > best, index + block.start, prediction)
            best = torch.maximum(best, top)
            shifted = joint.sub_(top[:, None]).clamp_min_(negligible).exp_().sum(1).log_().add_(top)
            others = torch.logaddexp(others, shifted)
            if options.bound:
                moments = kind.bound_moments(block.log_prior.exp(), block.means, block.log_var)
                weight, first, constant = weight + moments[0], first + moments[1], constant + moments[2]

        # Until here classes other than y; on a tie the lower index wins, as in argmax.
        prediction = torch.where((own_joint > best) | ((own_joint == best) & (y < prediction)), y, prediction)
        if logits is not None:
            logits.scatter_(1, y[:, None], own_joint[:, None])

        # Cross entropy with the margin on the true class alone: log(1 + Σ_{k≠y} p_k / p_y), which does not cancel.
        own_joint = own_joint - (options.factor * own_distance + options.shift)
        classification = torch.nn.functional.softplus(others - own_joint, threshold=50.0)
        if options.bound:
            middle = first / weight
            rest = (
                (constant - (first * middle).sum()).clamp_min(0)
                if log_var is None
                else constant - (first * middle).sum()
            )
            likelihood = ((distances.z - middle).square() * weight).sum(1) + rest
        else:
            likelihood = own_distance + own_log_det * 0.5

        ctx.options, ctx.size = options, size
        ctx.save_for_backward(z, y, means, log_var, log_prior, centre, others, own_joint, logits)
        ctx.mark_non_differentiable(prediction)
        if logits is not None:
            ctx.mark_non_differentiable(logits)
        return classification, likelihood, prediction, logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        by_loss, by_likelihood = grads[0], grads[1]
        options: MixtureOptions = ctx.options
        z, y, means, log_var, log_prior, centre, others, own_joint, logits = ctx.saved_tensors
        dimension = z.shape[1]
        kind = covariance_of(log_var)
        distances = kind(z - centre, PRODUCTS[options.matmul])
        negligible = math.log(smallest_useful(z.dtype))

        # log of the normaliser (margin included), and 1 − p_y without cancellation
        log_normaliser = torch.logaddexp(others, own_joint)
        pull = by_loss * torch.sigmoid(others - own_joint)
        prior = log_prior.exp()
        total_likelihood = by_likelihood.sum()

        grad_z = torch.zeros_like(z)
        grad_means = torch.empty_like(means)
        grad_log_var = None if log_var is None else torch.empty_like(log_var)
        joint_sums = torch.empty_like(log_prior)
        for block in _blocks(means, log_var, log_prior, centre, y, ctx.size):
            part = slice(block.start, block.stop)
            joint = _log_joint(distances, block, dimension) if logits is None else logits[:, part]
            h = torch.sub(joint, log_normaliser[:, None])
            h = h.masked_fill_(h < negligible, -torch.inf).exp_().mul_(by_loss[:, None])
            h[block.rows, block.columns] = 0  # the true class is differentiated directly, below
            joint_sums[part] = h.sum(0)
            if options.bound:
                h = h.addr_(by_likelihood, prior[part], alpha=-2)
            grad = distances.backward(h, block.means, block.log_var)
            grad_z += grad.z
            grad_means[part] = grad.means
            if grad_log_var is not None and grad.log_var is not None:
                determinant = joint_sums[part] - 2 * total_likelihood * prior[part] * options.bound
                grad_log_var[part] = grad.log_var.sub_(_spread(determinant, grad.log_var, dimension), alpha=0.5)

        # The true class: loss depends on its distance d through −(1 + α) d in the cross entropy, and d in the component term.
        component = by_likelihood * (not options.bound)
        by_distance = pull * (1 + options.factor) + component
        own_log_var = None if log_var is None else log_var[y]
        inverse = kind.inverse_variance(own_log_var)
        offset = (z - means[y]) * inverse
        push = by_distance[:, None] * offset
        grad_z += push
        grad_means.index_add_(0, y, push, alpha=-1)
        if grad_log_var is not None:
            half = (by_distance[:, None] * offset * (z - means[y])).mul_(0.5)
            half = half.sum(1, keepdim=True) if log_var.shape[1] == 1 else half
            own = _spread((pull + component) * 0.5, grad_log_var[y], dimension) - half
            grad_log_var.index_add_(0, y, own)
        grad_log_prior = joint_sums.index_add_(0, y, pull, alpha=-1)
        return grad_z, None, grad_means, grad_log_var, grad_log_prior, None


def _spread(by_log_determinant: Tensor, log_var: Tensor, dimension: int) -> Tensor:
    """Return ∂/∂log_var for a gradient (B,) by log|Λ|: each of a diagonal's entries counts once, an isotropic one D times."""
    return by_log_determinant[:, None] * (dimension if log_var.shape[1] == 1 else 1)


def fused_mixture(
    z: Tensor, y: Tensor, means: Tensor, log_var: Tensor | None, log_prior: Tensor, options: MixtureOptions
) -> MixtureTerms:
    """Return the per-sample terms of a Gaussian mixture with margin; see `drumlin.functional.mixture_terms` for the formulas.

    `z`, `means`, `log_var`, `log_prior` must share one dtype, float32 or float64. Gradients exist once, not twice.
    """
    with torch.autocast(device_type=z.device.type, enabled=False):
        return MixtureTerms(*_FusedMixture.apply(z, y, means, log_var, log_prior, options))
