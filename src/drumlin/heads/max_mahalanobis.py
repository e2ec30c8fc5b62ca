"""Max-Mahalanobis: equal Gaussians at fixed means, as far apart as a sphere allows."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from drumlin.functional import distance_logits, max_mahalanobis_means
from drumlin.heads._checks import above
from drumlin.heads.base import Head, Reduction


class MaxMahalanobisHead(Head):
    """Cross entropy of −½ ‖z − μ*_k‖² at fixed means μ*; the head has nothing to learn, the network does.

    ‖μ*_k‖² = C and μ*_j · μ*_k = −C/(K−1): the corners of a regular simplex.

    Args:
        in_features: D ≥ K−1.
        num_classes: K ≥ 2.
        norm: √C, the length of every mean, above 0.
        reduction: "mean", "sum" or "none".

    Attributes:
        means: (K, D) buffer.

    Raises:
        ValueError: an argument outside its range; fewer than K−1 feature dimensions.

    >>> head = MaxMahalanobisHead(2, 3)
    >>> head.logits(head.means).argmax(1)
    tensor([0, 1, 2])

    Source: T. Pang, C. Du, J. Zhu, Max-Mahalanobis Linear Discriminant Analysis Networks, ICML 2018.
    """

    means: Tensor

    def __init__(
        self, in_features: int, num_classes: int, *, norm: float = 10.0, reduction: Reduction = "mean"
    ) -> None:
        super().__init__(in_features, num_classes, reduction=reduction)
        above("norm", norm, 0)
        self.norm = norm
        self.register_buffer("means", max_mahalanobis_means(num_classes, in_features, norm=norm))

    @property
    def class_means(self) -> Tensor:
        """The means (K, D), detached."""
        return self.means.detach()

    def logits(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return −½ ‖z − μ*_k‖² (N, K) in float32 or float64."""
        return distance_logits(z, self.means)

    def _terms(self, z: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        logits = self.logits(z)
        return {"classification": nn.functional.cross_entropy(logits, y, reduction="none")}, None, logits

    def extra_repr(self) -> str:
        """Return the settings, for `repr`."""
        return f"{super().extra_repr()}, norm={self.norm!r}"
