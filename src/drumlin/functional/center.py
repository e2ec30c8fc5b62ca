"""Center loss: how far a sample lies from the center of its class."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from drumlin.functional._numerics import compute_dtype


def center_loss(z: Float[Tensor, "n d"], y: Int[Tensor, " n"], centers: Float[Tensor, "k d"]) -> Float[Tensor, " n"]:
    """Return ½ ‖z − c_y‖² of each sample.

    Up to its constant (D/2) log 2π it is the component likelihood of L-GM at Λ = I and a uniform prior (Lemma 1, L eq. 16).

    Args:
        z: features (N, D).
        y: labels (N,) in 0..K−1.
        centers: c (K, D).

    Returns:
        (N,) in float32, or float64 if an argument is.

    >>> import torch
    >>> center_loss(torch.tensor([[3.0, 4.0]]), torch.tensor([1]), torch.tensor([[9.0, 9.0], [0.0, 0.0]]))
    tensor([12.5000])

    Source: Y. Wen, K. Zhang, Z. Li, Y. Qiao, A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016,
    eq. 2; L eq. 3, I eq. 5. A mean over samples is taken where they have a sum.
    """
    dtype = compute_dtype(z, centers)
    return 0.5 * (z.to(dtype) - centers.to(dtype)[y]).square().sum(1)
