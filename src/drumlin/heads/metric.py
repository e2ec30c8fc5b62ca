"""Triplet and contrastive loss, added to softmax or alone: samples are compared with one another, not with a class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from drumlin.functional import distance_logits
from drumlin.functional._numerics import full_precision
from drumlin.heads._checks import above, at_least, one_of
from drumlin.heads._distributed import Batch, whole_batch
from drumlin.heads.base import Head, Reduction
from drumlin.heads.linear import linear_logits
from drumlin.settings.heads import MetricLoss, Mining

_LEAST_RATE = 0.1
"""Of the running class means: of a class's first batches they are the average, then they forget."""


class MetricHead(Head):
    """w × softmax cross entropy + triplet or contrastive loss, by pytorch-metric-learning.

    A sample's triplet loss is the mean, over the triplets it anchors, of (‖z−z⁺‖² − ‖z−z⁻‖² + margin)₊; its contrastive loss the
    mean over the other samples of ½ d² in its class and ½ (margin − d)₊² outside; 0 where there are none. In training mode
    triplets and pairs are those of the batch of all processes.

    With w = 0 there is no linear layer: logits are −½ ‖z − m_k‖² at the class means m_k of the training features. While training
    these are running means; `finish` fits them for good, and `drumlin train` calls it.

    Args:
        in_features: D.
        num_classes: K ≥ 2.
        loss: "triplet" or "contrastive".
        margin: above 0; between squared distances of triplets, of distances of pairs.
        mining: which triplets count: "all", "hard" (d⁻ ≤ d⁺) or "semi-hard" (d⁺ < d⁻ ≤ d⁺ + margin, in squared distances). Of pairs
            all do. Semi-hard suits normalised features: of others it asks nothing where d⁻ ≤ d⁺, and they can grow without
            bound, until few triplets lie within the margin.
        softmax_weight: w ≥ 0.
        reduction: "mean", "sum" or "none".

    Attributes:
        linear: the `nn.Linear` of the logits; None with w = 0.
        means: class means (K, D), a buffer; None with w > 0.
        batches: how many batches each running mean has seen (K,), a buffer; None with w > 0.

    Raises:
        ValueError: an argument outside its range.
        ImportError: pytorch-metric-learning is missing; the message says how to install it.

    >>> head = MetricHead(2, 2, loss="contrastive", margin=3.0, softmax_weight=0.0)
    >>> head(torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 1])).terms["contrastive"]
    tensor([2.0000, 1.1459, 1.1459])

    Time and memory of triplets grow with N B², B being the size of the batch over all processes.

    Source: F. Schroff et al., FaceNet, CVPR 2015, I eq. 6; R. Hadsell et al., CVPR 2006, Y. Sun et al., NeurIPS 2014. Differs from the
    library's defaults: features are not normalised, distances of triplets are squared, and means include losses of 0.
    """

    means: Tensor | None
    batches: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        loss: MetricLoss = "triplet",
        margin: float = 1.0,
        mining: Mining = "all",
        softmax_weight: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(in_features, num_classes, reduction=reduction)
        one_of("loss", loss, get_args(MetricLoss))
        one_of("mining", mining, get_args(Mining))
        above("margin", margin, 0)
        at_least("softmax_weight", softmax_weight, 0)
        self.loss = loss
        self.margin = margin
        self.mining = mining
        self.softmax_weight = softmax_weight
        self._compare = _comparison(loss, margin, mining)
        alone = softmax_weight == 0
        self.linear = None if alone else nn.Linear(in_features, num_classes)
        self.register_buffer("means", torch.zeros(num_classes, in_features) if alone else None)
        self.register_buffer("batches", torch.zeros(num_classes, dtype=torch.int64) if alone else None)

    @property
    def class_means(self) -> Tensor | None:
        """The means (K, D), detached; None with w > 0."""
        return None if self.means is None else self.means.detach()

    def logits(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return z·w_k + b_k, or −½ ‖z − m_k‖² with w = 0; (N, K) in float32 or float64."""
        if self.means is not None:
            return distance_logits(z, self.means)
        assert self.linear is not None
        return linear_logits(z, self.linear)

    def finish(self, features: Iterable[tuple[Tensor, Tensor]]) -> None:
        """With w = 0, make the means those of all training features; else read nothing.

        Raises:
            ValueError: features or labels that do not fit, or a class without a sample.
        """
        if self.means is None:
            return
        # In float64 and on the CPU: sums of millions of features, in float32, would not be exact.
        sums = torch.zeros(self.means.shape, dtype=torch.float64)
        counts = torch.zeros(self.num_classes, dtype=torch.int64)
        for z, y in features:
            self._check_features(z)
            self._check_labels(z, y)
            labels = y.cpu()
            sums.index_add_(0, labels, z.detach().cpu().double())
            counts += torch.bincount(labels, minlength=self.num_classes)
        if bool((counts == 0).any()):
            empty = ", ".join(str(k) for k in (counts == 0).nonzero().flatten().tolist())
            raise ValueError(f"features must have a sample of every class for its mean, got none of class {empty}")
        self.means.copy_(sums / counts[:, None])

    def _terms(self, z: Tensor, y: Tensor) -> tuple[dict[str, Tensor], Tensor | None, Tensor | None]:
        batch = whole_batch(z, y, training=self.training)
        logits = self.logits(z)
        terms = {}
        if self.linear is not None:
            terms["classification"] = self.softmax_weight * nn.functional.cross_entropy(logits, y, reduction="none")
        with full_precision(z.device):
            terms[self.loss] = self._compare(batch, z.shape[0])
        if self.training and self.means is not None and self.batches is not None:
            _follow(batch, self.means, self.batches)
        return terms, None, logits

    def extra_repr(self) -> str:
        """Return the settings, for `repr`."""
        shown = ("loss", "margin", "mining", "softmax_weight")
        return ", ".join([super().extra_repr(), *(f"{name}={getattr(self, name)!r}" for name in shown)])


@torch.no_grad()
def _follow(batch: Batch, means: Tensor, batches: Tensor) -> None:
    """Move the mean of each class towards that of its samples in this batch."""
    counts = torch.bincount(batch.y, minlength=len(means))
    batches += counts > 0
    rate = (1 / batches.to(means.dtype)).clamp_min(_LEAST_RATE)
    means.index_add_(0, batch.y, (batch.z.to(means.dtype) - means[batch.y]) * (rate / counts)[batch.y, None])


def _comparison(loss: str, margin: float, mining: str) -> Callable[[Batch, int], Tensor]:
    try:
        from drumlin.heads._metric_learning import Pairs, Triplets
    except ImportError as error:
        raise ImportError(f"head {loss!r} needs pytorch-metric-learning: pip install 'drumlin[metric]'") from error
    kinds: dict[str, Callable[[], Any]] = {
        "triplet": lambda: Triplets(margin, mining),
        "contrastive": lambda: Pairs(margin),
    }
    return kinds[loss]()  # type: ignore[no-any-return]
