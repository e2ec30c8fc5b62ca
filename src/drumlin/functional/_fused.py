"""The loss of a Gaussian mixture with a margin, fused: forward and backward over blocks of classes.

Blocks of means stay in the processor's cache while they are centred, multiplied and differentiated, so that the parameters
are read from memory about as often as a linear layer's. With `class_chunk` the posteriors are recomputed in the backward pass
instead of kept, and nothing of size (N, K) ever exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import hardshrink, softplus

from drumlin.functional._blocks import Block, Features, blocks, log_constant, log_determinant
from drumlin.functional._numerics import first_maximum, full_precision, smallest_useful
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
        num_classes, dimension = means.shape
        own_means = means.index_select(0, y)
        # Distances do not depend on the centre; the expansion is accurate if it lies near the means, wherever an outlier of z lies.
        centre = own_means.sum(0) / max(len(y), 1)
        features = Features(z - centre, log_var, PRODUCTS[options.matmul])

        offset = torch.sub(z, own_means, out=own_means)
        own_log_det, pulled = log_prior.new_zeros(()), offset
        if log_var is not None:
            own_log_var = log_var[y]
            own_log_det, pulled = log_determinant(own_log_var, dimension), offset * own_log_var.neg().exp_()
        own_distance = torch.linalg.vecdot(pulled, offset).mul_(0.5)
        own_joint = log_prior[y] - own_log_det * 0.5 - own_distance  # like every joint here, without (D/2) log 2π

        size = options.class_chunk or (num_classes if z.is_cuda else _CACHE_BLOCK)
        logits = None if options.class_chunk else z.new_empty(len(y), num_classes)
        bound = _Bound()
        posteriors, log_sums, leaders = [], [], []
        memory = means.new_empty(min(size, num_classes), dimension)
        for block in blocks(means, log_var, log_prior, centre, y, size, memory):
            joint, posterior = _others(features, block, logits)
            top, index = first_maximum(joint)
            leaders.append((top, index + block.part.start))
            log_sums.append(top - posterior.amax(1).log_())  # the largest posterior is e⁰ over the sum
            if logits is not None:
                posteriors.append(posterior)
                joint.sub_(log_constant(dimension))
            if options.bound:
                bound.add(block)

        best, prediction = reduce(_larger, leaders)
        # Until here classes other than y; on a tie the lower index wins, as in argmax.
        prediction = torch.where((own_joint > best) | ((own_joint == best) & (y < prediction)), y, prediction)
        if logits is not None:
            logits.scatter_(1, y[:, None], own_joint[:, None] - log_constant(dimension))

        # Cross entropy with the margin on the true class alone: log(1 + Σ_{k≠y} p_k / p_y), which does not cancel.
        others = reduce(torch.logaddexp, log_sums)
        own_joint = own_joint - (options.factor * own_distance + options.shift)
        classification = softplus(others - own_joint, threshold=50.0)
        likelihood = bound.of(features.z) if options.bound else own_distance + own_log_det * 0.5

        ctx.options, ctx.size = options, size
        saved = (z, y, means, log_var, log_prior, centre, offset, pulled, own_joint, others)
        ctx.save_for_backward(*saved, *log_sums, *posteriors)
        ctx.mark_non_differentiable(prediction)
        if logits is not None:
            ctx.mark_non_differentiable(logits)
        return classification, likelihood, prediction, logits

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True: what follows would be taken for a constant, without a word
            raise RuntimeError(
                "the fused mixture loss can be differentiated once only; for second derivatives (create_graph=True) build the"
                " loss from head.logits(z) or gm_logits, which can be differentiated twice"
            )
        with full_precision(grads[0].device):
            return _gradients(ctx, grads[0], grads[1])


def _gradients(ctx: Any, by_loss: Tensor, by_likelihood: Tensor) -> tuple[Tensor | None, ...]:
    """Return the gradients of `_FusedMixture.forward`'s inputs."""
    options: MixtureOptions = ctx.options
    z, y, means, log_var, log_prior, centre, offset, pulled, own_joint, others, *kept = ctx.saved_tensors
    num_blocks = -(-means.shape[0] // ctx.size)
    log_sums, posteriors = kept[:num_blocks], kept[num_blocks:]
    features = Features(z - centre, log_var, PRODUCTS[options.matmul])
    negligible = smallest_useful(z.dtype)

    # The normaliser includes the margin; 1 − p_y does not cancel.
    log_normaliser = torch.logaddexp(others, own_joint)
    pull = hardshrink(by_loss * torch.sigmoid(others - own_joint), negligible)
    into = features.zero_gradients(log_var)
    by_means = torch.empty_like(means, memory_format=torch.contiguous_format)
    by_log_prior = torch.empty_like(log_prior)
    by_bound = by_likelihood.sum() * -2
    for number, block in enumerate(blocks(means, log_var, log_prior, centre, y, ctx.size, by_means)):
        posterior = posteriors[number] if posteriors else _others(features, block, None)[1]
        share = (log_sums[number] - log_normaliser).exp_().mul_(by_loss)
        h = posterior * share[:, None]
        torch.hardshrink(h, negligible, out=h)  # 0 for the true class, too, which comes below
        sums = by_log_prior[block.part] = h.sum(0)
        if options.bound:  # Σ_k p_k (2 d_k + log|Λ_k|) with p_k held constant
            prior = block.log_prior.exp()
            h.addr_(by_likelihood, prior, alpha=-2)
            sums = sums + by_bound * prior
        features.backward(h, sums[:, None], block, into)
    grad_z = into.linear.addcmul_(features.z, into.square, value=-1)

    # The true class: its distance d counts −(1 + α) d in the cross entropy, and d in the component term.
    component = torch.zeros_like(by_likelihood) if options.bound else by_likelihood
    by_distance = (pull * (1 + options.factor) + component)[:, None]
    push = by_distance * pulled
    grad_z += push
    by_means.index_add_(0, y, push, alpha=-1)
    if into.log_var is not None:
        by_log_det, half = (pull + component)[:, None], push * offset
        if features.width == 1:
            by_log_det, half = by_log_det * z.shape[1], half.sum(1, keepdim=True)
        own = (by_log_det - half).mul_(0.5)
        into.log_var.index_add_(0, y, own)
    return grad_z, None, by_means, into.log_var, by_log_prior.index_add_(0, y, pull, alpha=-1), None


def _others(features: Features, block: Block, logits: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return log p(z, k) (N, B) of a block's classes, in `logits` if given, and its softmax; the true class is left out of both.

    A row whose true class is alone in its block has a softmax of 1 there, and a log-sum low enough to make it 0 among all blocks.
    """
    shape = features.z.shape[0], block.means.shape[0]
    joint = features.log_joint(block, features.z.new_empty(shape) if logits is None else logits[:, block.part])
    joint[block.rows, block.columns] = torch.finfo(joint.dtype).min
    return joint, joint.softmax(1)


def _larger(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the larger of two maxima and its index, the first on a tie."""
    return torch.maximum(first[0], second[0]), torch.where(second[0] > first[0], second[1], first[1])


class _Bound:
    """The mixture bound Σ_k p_k (2 d_k + log|Λ_k|) by moments: O(ND + KD), since Σ_k p_k (z−μ_k)²/Λ_k is quadratic in z."""

    def __init__(self) -> None:
        self.blocks: list[tuple[Tensor, ...]] = []

    def add(self, block: Block) -> None:
        """Count a block's classes."""
        prior = block.log_prior.exp()
        log_det = prior.new_zeros(()) if block.log_det is None else prior @ block.log_det
        self.blocks.append((prior @ block.inverse, prior @ block.scaled, prior @ block.squares, log_det))

    def of(self, z: Tensor) -> Tensor:
        """Return the bound (N,) for centred features z (N, D)."""
        weight, first, second, log_det = (reduce(torch.add, parts) for parts in zip(*self.blocks, strict=True))
        middle = first / weight
        spread = (second - first @ middle).clamp_min_(0)
        offset = z - middle
        bound: Tensor = torch.linalg.vecdot(offset * weight, offset)
        return bound.add_(spread + log_det)


def fused_mixture(
    z: Tensor, y: Tensor, means: Tensor, log_var: Tensor | None, log_prior: Tensor, options: MixtureOptions
) -> MixtureTerms:
    """Return the per-sample terms of a Gaussian mixture with margin; see `drumlin.functional.mixture_terms` for the formulas.

    `z`, `means`, `log_var`, `log_prior` must share one dtype, float32 or float64. Gradients exist once, not twice.
    """
    with full_precision(z.device):
        return MixtureTerms(*_FusedMixture.apply(z, y, means, log_var, log_prior, options))
