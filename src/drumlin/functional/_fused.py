"""The loss of a Gaussian mixture with a margin, fused: forward and backward over blocks of classes.

Blocks of means stay in the processor's cache while they are centred, multiplied and differentiated, so that the parameters
are read from memory about as often as a linear layer's. With `class_chunk` the posteriors are recomputed in the backward pass
instead of kept, and nothing of size (N, K) ever exists.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import hardshrink, softplus

from drumlin.functional._blocks import (
    Block,
    Features,
    Gradients,
    blocks,
    log_constant,
    own_terms,
    squared_norms,
)
from drumlin.functional._numerics import first_maximum, full_precision, smallest_useful
from drumlin.functional._rounded import features as make_features
from drumlin.functional._terms import MixtureOptions, MixtureTerms

_BLOCK_NUMBERS = 1 << 20
_BLOCK_CLASSES = 2048
"""Numbers of means a block on a CPU (4 MiB in float32), but at least so many classes: of more blocks the overhead is felt."""


class _FusedMixture(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        y: Tensor,
        means: Tensor,
        log_var: Tensor | None,
        log_prior: Tensor | None,
        options: MixtureOptions,
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]:
        num_classes, dimension = means.shape
        width = 1 if log_var is None else log_var.shape[1]
        offset = means.index_select(0, y)
        torch.sub(z, offset, out=offset)
        own_log_det = None
        if log_var is None:
            own_distance = squared_norms(offset).mul_(0.5)
        else:
            own_inverse, own_log_det = own_terms(log_var, y, dimension)
            own_distance = (offset.mul_(offset) * own_inverse).sum(1).mul_(0.5)

        features = make_features(z, width, options.matmul)
        centre = _centre(features, means, y, own_distance if log_var is None else None)
        if centre is not None:
            features = make_features(z - centre, width, options.matmul)
        # As in Features.log_joint, without what all classes share.
        own_joint = features.half_square[:, 0] - own_distance if log_var is None else -own_distance
        if own_log_det is not None:
            own_joint.sub_(own_log_det, alpha=0.5)
        if log_prior is not None:
            own_joint += log_prior.index_select(0, y)

        size = options.class_chunk or (num_classes if z.is_cuda else max(_BLOCK_CLASSES, _BLOCK_NUMBERS // dimension))
        logits = None if options.class_chunk else z.new_empty(len(y), num_classes)
        bound = None
        posteriors, log_sums, leaders = [], [], []
        for block in blocks(means, log_var, log_prior, centre, y, size):
            joint = features.log_joint(block, _place(logits, block, z))
            if options.bound:
                part = _bound(joint, block, num_classes)
                bound = part if bound is None else bound.add_(part)
            _leave_own_out(joint, block)
            if logits is None:
                top, index = first_maximum(joint)
                leaders.append((top, index + block.part.start))
                posterior = torch.softmax(joint, 1, out=joint)
            else:
                top = joint.amax(1)
                posterior = joint.softmax(1)
                posteriors.append(posterior)
            log_sums.append(top - posterior.amax(1).log_())  # the largest posterior is e⁰ over the sum

        prediction = None
        if logits is None:  # Until here classes other than y; on a tie the lower index wins, as in argmax.
            best, index = reduce(_larger, leaders)
            prediction = torch.where((own_joint > best) | ((own_joint == best) & (y < index)), y, index)
        else:
            logits.scatter_(1, y[:, None], own_joint[:, None])

        # Cross entropy with the margin on the true class alone: log(1 + Σ_{k≠y} p_k / p_y), which does not cancel.
        others = reduce(torch.logaddexp, log_sums)
        if options.factor:
            own_joint.sub_(own_distance, alpha=options.factor)
        if options.shift:
            own_joint.sub_(options.shift)
        behind = others - own_joint
        classification = softplus(behind, threshold=50.0)
        if bound is not None:  # Σ_k p_k (2 d_k + log|Λ_k|)
            likelihood = bound if log_var is not None else bound.add_(features.half_square[:, 0])
            likelihood.mul_(2 * options.weight)
        else:
            likelihood = own_distance if own_log_det is None else own_distance.add_(own_log_det, alpha=0.5)
            likelihood.mul_(options.weight)

        ctx.options, ctx.size = options, size
        ctx.only_block = block if size >= num_classes and logits is not None else None
        saved = (features.z, features.half_square, y, means, log_var, log_prior, centre, behind, own_joint, others)
        ctx.save_for_backward(*saved, *log_sums, *posteriors)
        shared = features.half_square[:, 0].clone() if logits is not None and log_var is None else None
        ctx.mark_non_differentiable(*(extra for extra in (prediction, logits, shared) if extra is not None))
        return classification, likelihood, prediction, logits, shared

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
    """Return the gradients of `_FusedMixture.forward`'s inputs.

    Everything is a sum Σ H_nk log p(z_n, k) with constants H: p_k of the classes that are not y; the true class with the margin's
    factor and the component term; and the bound, everywhere.
    """
    options: MixtureOptions = ctx.options
    centred, half_square, y, means, log_var, log_prior, centre, behind, own_joint, others, *kept = ctx.saved_tensors
    features = make_features(centred, 1 if log_var is None else log_var.shape[1], options.matmul, half_square)
    num_classes = means.shape[0]
    num_blocks = -(-num_classes // ctx.size)
    log_sums, posteriors = kept[:num_blocks], kept[num_blocks:]
    negligible = smallest_useful(means.dtype)

    all_others = by_loss * torch.sigmoid(behind)  # 1 − p_y, which does not cancel
    pull = hardshrink(all_others, negligible)
    by_own, rows = pull * (-1 - options.factor), pull * -options.factor
    by_bound: Tensor | None = None  # of each class
    if not options.bound:
        by_own.sub_(by_likelihood, alpha=options.weight)
        rows.sub_(by_likelihood, alpha=options.weight)
    elif options.weight:
        by_bound = by_likelihood * (-2 * options.weight)
        rows += by_bound
    # Where the bound acts on every sample, it is what tiny posteriors are added to, and none stays denormal.
    everywhere = (by_bound / num_classes)[:, None] if by_bound is not None and bool(by_bound.all()) else None
    into = Gradients(
        torch.empty_like(features.z),
        rows[:, None] if log_var is None else torch.empty_like(features.half_square),
        torch.empty_like(means, memory_format=torch.contiguous_format),
        None if log_var is None else torch.empty_like(log_var, memory_format=torch.contiguous_format),
    )
    by_log_prior = None if log_prior is None else torch.empty_like(log_prior)
    extra = None  # what the margin puts on the true class's distance, and not on its determinant
    if options.factor and log_var is not None:
        extra = means.new_zeros(num_classes).index_add_(0, y, pull, alpha=options.factor)

    again = [ctx.only_block] if ctx.only_block else blocks(means, log_var, log_prior, centre, y, ctx.size)
    for number, block in enumerate(again):
        if posteriors:
            posterior = posteriors[number]
            h = torch.empty_like(posterior)
        else:
            h = features.log_joint(block, _place(None, block, features.z))
            _leave_own_out(h, block)
            posterior = torch.softmax(h, 1, out=h)
        share = all_others
        if num_blocks > 1:  # of the normaliser, which has the margin in it
            share = (log_sums[number] - torch.logaddexp(others, own_joint)).exp_().mul_(by_loss)
        if everywhere is not None and block.log_prior is None:
            torch.mul(posterior, share[:, None], out=h).add_(everywhere)  # addcmul, in one pass, takes twice as long
        else:
            torch.mul(posterior, share[:, None], out=h)
            torch.hardshrink(h, negligible, out=h)
            if by_log_prior is not None:  # of the cross entropy alone
                by_log_prior[block.part] = h.sum(0)
            if by_bound is not None:
                h.addr_(by_bound, _prior(block, num_classes))
        block.add_own(h, by_own)
        sums = h.sum(0)
        features.backward(h, sums, sums if extra is None else sums + extra[block.part], block, into)
    grad_z = into.linear.addcmul_(features.z, into.square, value=-1)
    if by_log_prior is not None:
        by_log_prior.index_add_(0, y, pull, alpha=-1)
    return grad_z, None, into.means, into.log_var, by_log_prior, None


def _bound(joint: Tensor, block: Block, num_classes: int) -> Tensor:
    """Return −Σ_k p_k (log p(z, k) − log p_k) (N,) over a block's classes."""
    if block.log_prior is None:
        return joint.sum(1).mul_(-1 / num_classes)
    prior = _prior(block, num_classes)
    return torch.mv(joint, prior).neg_().add_(prior.dot(block.log_prior))


def _prior(block: Block, num_classes: int) -> Tensor:
    """Return p(k) (B,) of a block's classes."""
    return (
        block.means.new_full(block.means.shape[:1], 1 / num_classes)
        if block.log_prior is None
        else block.log_prior.exp()
    )


def _centre(features: Features, means: Tensor, y: Tensor, own_distance: Tensor | None) -> Tensor | None:
    """Return the point (D,) to put the origin at, or None where it is good as it is.

    Distances do not depend on it; their expansion is accurate if it lies near the means, wherever an outlier of z lies. An origin as
    near as most features' own spread costs a factor of two in rounding, and saves a copy of the means.
    """
    ask = len(y) > 0 and not means.is_cuda  # a GPU would be waited for
    if (
        ask
        and own_distance is not None
        and max(map(float, (features.half_square.amax(), own_distance.amax()))) <= features.near
    ):
        return None
    centre = means.index_select(0, y).sum(0) / max(len(y), 1)
    if not ask:
        return centre
    near = centre.dot(centre) <= features.half_square.sum(1).median()
    return None if bool(near) else centre


def _place(logits: Tensor | None, block: Block, z: Tensor) -> Tensor:
    """Return where a block's log joint densities (N, B) go: into `logits` if given."""
    return z.new_empty(z.shape[0], block.means.shape[0]) if logits is None else logits[:, block.part]


def _leave_own_out(joint: Tensor, block: Block) -> None:
    """Set the true class's log joint densities (N, B) in a block to the lowest number: its softmax will be 0.

    A row whose true class is alone in its block has a softmax of 1 there, and a log-sum low enough to make it 0 among all blocks.
    """
    block.fill_own(joint, torch.finfo(joint.dtype).min)


def _larger(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the larger of two maxima and its index, the first on a tie."""
    return torch.maximum(first[0], second[0]), torch.where(second[0] > first[0], second[1], first[1])


def fused_mixture(
    z: Tensor, y: Tensor, means: Tensor, log_var: Tensor | None, log_prior: Tensor | None, options: MixtureOptions
) -> MixtureTerms:
    """Return the per-sample terms of a Gaussian mixture with margin; see `drumlin.functional.mixture_terms` for the formulas.

    `z`, `means`, `log_var`, `log_prior` must share one dtype, float32 or float64. Gradients exist once, not twice.
    """
    with full_precision(z.device):
        constant = log_constant(means.shape[1]) + (math.log(means.shape[0]) if log_prior is None else 0)
        classification, likelihood, prediction, joint, half_square = _FusedMixture.apply(
            z, y, means, log_var, log_prior, options
        )
    return MixtureTerms(classification, likelihood, prediction, joint, half_square, constant)
