"""Triplets and pairs of a batch and their losses, by pytorch-metric-learning; import this where it is needed, it takes seconds."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pytorch_metric_learning.distances.lp_distance import LpDistance
from pytorch_metric_learning.losses.contrastive_loss import ContrastiveLoss
from pytorch_metric_learning.losses.triplet_margin_loss import TripletMarginLoss
from pytorch_metric_learning.miners.triplet_margin_miner import TripletMarginMiner
from pytorch_metric_learning.reducers.do_nothing_reducer import DoNothingReducer
from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_triplets_indices
from torch import Tensor

from drumlin.heads._distributed import Batch

Tuples = tuple[Tensor, ...]
Miner = Callable[[Tensor, Tensor, Tensor, Tensor], Tuples]


class _Distance(LpDistance):
    """Euclidean distances to the power of `power`, of the features as they are: that library normalises them unless told."""

    def __init__(self, power: int) -> None:
        super().__init__(normalize_embeddings=False, p=2, power=power)  # type: ignore[no-untyped-call]

    def compute_mat(self, query_emb: Tensor, ref_emb: Tensor) -> Tensor:
        # By differences: by products, as cdist does it for larger batches, small distances cancel.
        return torch.cdist(query_emb, ref_emb, compute_mode="donot_use_mm_for_euclid_dist")


def _every_triplet(z: Tensor, y: Tensor, all_z: Tensor, all_y: Tensor) -> Tuples:
    return get_all_triplets_indices(y, all_y)  # type: ignore[no-any-return]


_MINERS: dict[str, Callable[[float, _Distance], Miner]] = {
    "semi-hard": lambda margin, distance: TripletMarginMiner(margin, "semihard", distance=distance),
    "hard": lambda margin, distance: TripletMarginMiner(margin, "hard", distance=distance),
    "all": lambda margin, distance: _every_triplet,
}


class Triplets:
    """(‖z−z⁺‖² − ‖z−z⁻‖² + margin)₊ of triplets (I eq. 6), the mean over those of each anchor."""

    def __init__(self, margin: float, mining: str) -> None:
        distance = _Distance(power=2)
        self._mine = _MINERS[mining](margin, distance)
        self._loss = TripletMarginLoss(margin, distance=distance, reducer=DoNothingReducer())

    def __call__(self, batch: Batch, size: int) -> Tensor:
        """Return the loss (`size`,) of this process's samples as anchors."""
        own = slice(batch.first, batch.first + size)
        z, y = batch.z[own], batch.y[own]
        anchor, positive, negative = self._mine(z, y, batch.z, batch.y)
        others = positive != anchor + batch.first  # among all samples, an anchor finds itself
        triplets = anchor[others], positive[others], negative[others]
        parts = self._loss(z, y, triplets, batch.z, batch.y)
        return _mean_by_anchor(z, [(triplets[0], parts["loss"]["losses"])])


class Pairs:
    """½ d² of pairs of one class, ½ (margin − d)₊² of others, d = ‖z−z'‖; the mean over all pairs of each anchor."""

    def __init__(self, margin: float) -> None:
        self._loss = ContrastiveLoss(0, margin, distance=_Distance(power=1), reducer=DoNothingReducer())

    def __call__(self, batch: Batch, size: int) -> Tensor:
        """Return the loss (`size`,) of this process's samples as anchors."""
        # Over the whole batch, for of a single pair that library takes no loss.
        parts = self._loss(batch.z, batch.y)
        halves = [
            (part["indices"][0], 0.5 * part["losses"] ** 2) for part in parts.values() if part["indices"] is not None
        ]
        return _mean_by_anchor(batch.z, halves)[batch.first : batch.first + size]


def _mean_by_anchor(z: Tensor, parts: list[tuple[Tensor, Tensor | float]]) -> Tensor:
    """Return the mean loss of each row of z as anchor; 0, with its graph, where it is in no triplet or pair."""
    # Features that are not finite are in no triplet, as no comparison holds for them: this keeps them visible. It also ties
    # a batch without triplets to the graph, as gathering over processes needs.
    total = (z * 0).sum(1)
    count = torch.zeros_like(total)
    for anchors, losses in parts:
        if isinstance(losses, Tensor):  # else a plain 0: there were none
            total = total.index_add(0, anchors, losses)
            count = count.index_add(0, anchors, torch.ones_like(losses))
    return total / count.clamp_min(1)
