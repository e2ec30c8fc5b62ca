"""Settings of the heads that compare samples with one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from drumlin.settings.heads.base import HeadSettings

MetricLoss = Literal["triplet", "contrastive"]
Mining = Literal["semi-hard", "hard", "all"]


@dataclass(frozen=True, kw_only=True)
class TripletSettings(HeadSettings):
    """Triplet loss, alone or added to softmax: nearer to one's own class than to the others, by a margin."""

    _name: ClassVar[str] = "triplet"
    formula: ClassVar[str] = "w CE + mean over triplets of (‖z−z⁺‖² − ‖z−z⁻‖² + margin)₊"
    source: ClassVar[str] = "Schroff et al., CVPR 2015; I eq. 6"

    margin: float = 1.0
    """Margin between squared distances, above 0."""
    mining: Mining = "all"
    """Which triplets count: those whose negative is farther than the positive but within the margin, or nearer, or all."""
    softmax_weight: float = 1.0
    """w, the weight of cross entropy; 0 is triplet loss alone, with distances to class means as logits."""


@dataclass(frozen=True, kw_only=True)
class ContrastiveSettings(HeadSettings):
    """Contrastive loss, alone or added to softmax: pairs of a class attract, others repel up to a margin."""

    _name: ClassVar[str] = "contrastive"
    formula: ClassVar[str] = "w CE + mean over pairs of ½ d² if of one class, else ½ (margin − d)₊², d = ‖z−z'‖"
    source: ClassVar[str] = "Hadsell et al., CVPR 2006; Sun et al., NeurIPS 2014"

    margin: float = 1.0
    """Distance from which on pairs of two classes leave each other alone, above 0."""
    softmax_weight: float = 1.0
    """w, the weight of cross entropy; 0 is contrastive loss alone, with distances to class means as logits."""
