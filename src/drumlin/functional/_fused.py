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

from drumlin.functional._blocks import Block, Features, Gradients, blocks, log_constant, log_determinant
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
    """Per-sample results: cross entropy (N,), likelihood term without its weight (N,), logits (N, K) or running prediction (N,)."""

    classification: Tensor
    likelihood: Tensor
    running_prediction: Tensor | None
    logits: Tensor | None

    @property
    def prediction(self) -> Tensor:
        """The most probable class (N,), without margin; of the logits it is found when asked for."""
        if self.running_prediction is not None:
            return self.running_prediction
        assert self.logits is not None
        return self.logits.argmax(1)


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
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        num_classes, dimension = means.shape
        own_means = means.index_select(0, y)
        width = 1 if log_var is None else log_var.shape[1]
        features = Features(z, width, PRODUCTS[options.matmul])
        centre = _centre(features, own_means)
        if centre is not None:
            features = Features(z - centre, width, PRODUCTS[options.matmul])

        offset = torch.sub(z, own_means, out=own_means)
        own_log_det, pulled = log_prior.new_zeros(()), offset
        if log_var is not None:
            own_log_var = log_var[y]
            own_log_det, pulled = log_determinant(own_log_var, dimension), offset * own_log_var.neg().exp_()
        own_distance = torch.linalg.vecdot(pulled, offset).mul_(0.5)
        own_joint = log_prior[y] - own_log_det * 0.5 - own_distance  # like every joint here, without (D/2) log 2π

        size = options.class_chunk or (num_classes if z.is_cuda else _CACHE_BLOCK)
        logits = None if options.class_chunk else z.new_empty(len(y), num_classes)
        bound = torch.zeros_like(own_joint)
        posteriors, log_sums, leaders = [], [], []
        for block in blocks(means, log_var, log_prior, centre, y, size):
            joint = features.log_joint(block, _place(logits, block, z))
            if options.bound:  # Σ_k p_k (2 d_k + log|Λ_k|)
                prior = block.log_prior.exp()
                bound.add_(prior @ block.log_prior).sub_(joint @ prior)
            posterior = _others(joint, block)
            if logits is None:
                top, index = first_maximum(joint)
                leaders.append((top, index + block.part.start))
            else:
                top = joint.amax(1)
            log_sums.append(top - posterior.amax(1).log_())  # the largest posterior is e⁰ over the sum
            if logits is not None:
                posteriors.append(posterior)
                joint.sub_(log_constant(dimension))

        prediction = None
        if logits is None:  # Until here classes other than y; on a tie the lower index wins, as in argmax.
            best, index = reduce(_larger, leaders)
            prediction = torch.where((own_joint > best) | ((own_joint == best) & (y < index)), y, index)
        else:
            logits.scatter_(1, y[:, None], own_joint[:, None] - log_constant(dimension))

        # Cross entropy with the margin on the true class alone: log(1 + Σ_{k≠y} p_k / p_y), which does not cancel.
        others = reduce(torch.logaddexp, log_sums)
        own_joint = own_joint - (options.factor * own_distance + options.shift)
        classification = softplus(others - own_joint, threshold=50.0)
        likelihood = bound.mul_(2) if options.bound else own_distance + own_log_det * 0.5

        ctx.options, ctx.size = options, size
        ctx.only_block = block if size >= num_classes and logits is not None else None
        saved = (
            features.z,
            features.half_square,
            y,
            means,
            log_var,
            log_prior,
            centre,
            offset,
            pulled,
            own_joint,
            others,
        )
        ctx.save_for_backward(*saved, *log_sums, *posteriors)
        ctx.mark_non_differentiable(*(extra for extra in (prediction, logits) if extra is not None))
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
    centred, half_square, y, means, log_var, log_prior, centre, offset, pulled, own_joint, others, *kept = (
        ctx.saved_tensors
    )
    features = Features(centred, 1 if log_var is None else log_var.shape[1], PRODUCTS[options.matmul], half_square)
    num_blocks = -(-means.shape[0] // ctx.size)
    log_sums, posteriors = kept[:num_blocks], kept[num_blocks:]
    negligible = smallest_useful(means.dtype)

    # The normaliser includes the margin; 1 − p_y does not cancel.
    log_normaliser = torch.logaddexp(others, own_joint)
    pull = hardshrink(by_loss * torch.sigmoid(others - own_joint), negligible)
    into = Gradients(
        torch.empty_like(features.z),
        torch.empty_like(features.half_square),
        torch.empty_like(means, memory_format=torch.contiguous_format),
        None if log_var is None else torch.empty_like(log_var, memory_format=torch.contiguous_format),
    )
    by_log_prior = torch.empty_like(log_prior)
    by_bound = by_likelihood.sum() * -2
    again = [ctx.only_block] if ctx.only_block else blocks(means, log_var, log_prior, centre, y, ctx.size)
    for number, block in enumerate(again):
        posterior = (
            posteriors[number]
            if posteriors
            else _others(features.log_joint(block, _place(None, block, features.z)), block)
        )
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
    into.means.index_add_(0, y, push, alpha=-1)
    if into.log_var is not None:
        by_log_det, half = (pull + component)[:, None], push * offset
        if features.width == 1:
            by_log_det, half = by_log_det * means.shape[1], half.sum(1, keepdim=True)
        own = (by_log_det - half).mul_(0.5)
        into.log_var.index_add_(0, y, own)
    return grad_z, None, into.means, into.log_var, by_log_prior.index_add_(0, y, pull, alpha=-1), None


def _centre(features: Features, own_means: Tensor) -> Tensor | None:
    """Return the point (D,) to put the origin at, or None where it is good as it is.

    Distances do not depend on it; their expansion is accurate if it lies near the means, wherever an outlier of z lies. An origin as
    near as most features' own spread costs a factor of two in rounding, and saves a copy of the means.
    """
    centre = own_means.sum(0) / max(len(own_means), 1)
    if centre.is_cuda or len(own_means) == 0:  # asking would wait for the GPU
        return centre
    near = centre.dot(centre) <= features.half_square.sum(1).median()
    return None if bool(near) else centre


def _place(logits: Tensor | None, block: Block, z: Tensor) -> Tensor:
    """Return where a block's log joint densities (N, B) go: into `logits` if given."""
    return z.new_empty(z.shape[0], block.means.shape[0]) if logits is None else logits[:, block.part]


def _others(joint: Tensor, block: Block) -> Tensor:
    """Return the softmax (N, B) of a block's log joint densities, the true class left out: it is set to the lowest number there.

    A row whose true class is alone in its block has a softmax of 1 there, and a log-sum low enough to make it 0 among all blocks.
    """
    joint[block.rows, block.columns] = torch.finfo(joint.dtype).min
    return joint.softmax(1)


def _larger(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the larger of two maxima and its index, the first on a tie."""
    return torch.maximum(first[0], second[0]), torch.where(second[0] > first[0], second[1], first[1])


def fused_mixture(
    z: Tensor, y: Tensor, means: Tensor, log_var: Tensor | None, log_prior: Tensor, options: MixtureOptions
) -> MixtureTerms:
    """Return the per-sample terms of a Gaussian mixture with margin; see `drumlin.functional.mixture_terms` for the formulas.

    `z`, `means`, `log_var`, `log_prior` must share one dtype, float32 or float64. Gradients exist once, not twice.
    """
    with full_precision(z.device):
        return MixtureTerms(*_FusedMixture.apply(z, y, means, log_var, log_prior, options))
