"""Reverse cross entropy: a softmax trained to be uniform over the wrong classes."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from drumlin.functional._numerics import compute_dtype, full_precision


def reverse_cross_entropy(logits: Float[Tensor, "n k"], y: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return −(1/(K−1)) Σ_{k≠y} log softmax(−logits)_k of each sample.

    Its minimum is log(K−1), where softmax(−logits) is uniform over the wrong classes and 0 at y. For K = 2 it is cross entropy.

    Args:
        logits: ℓ (N, K), whose softmax is p(k|z): the larger, the more probable.
        y: labels (N,) in 0..K−1.

    >>> import torch
    >>> reverse_cross_entropy(torch.zeros(1, 4), torch.tensor([2])).exp()
    tensor([4.])

    Source: T. Pang, C. Du, Y. Dong, J. Zhu, Towards Robust Detection of Adversarial Examples, NeurIPS 2018, §3.2.
    """
    with full_precision(logits.device):
        log_share = (-logits.to(compute_dtype(logits))).log_softmax(1)
        # Taken out before the sum, not subtracted after it: where training succeeds it outweighs all the others.
        wrong = log_share.scatter(1, y[:, None], 0.0)
        return -wrong.sum(1) / (logits.shape[1] - 1)
