"""The mathematics as pure functions on tensors: one value a sample, no state."""

from drumlin.functional._numerics import zero_tiny_gradients
from drumlin.functional.center import center_loss
from drumlin.functional.contrastive_center import contrastive_center_loss
from drumlin.functional.distances import distance_logits, nearest
from drumlin.functional.isotropic import isotropic_loss
from drumlin.functional.l_softmax import l_softmax_logits
from drumlin.functional.max_mahalanobis import max_mahalanobis_means
from drumlin.functional.mixture import gm_log_density, gm_logits, gm_loss, gm_optimal_distance, lgm_loss, mixture_terms
from drumlin.functional.reverse_cross_entropy import reverse_cross_entropy

__all__ = [
    "center_loss",
    "contrastive_center_loss",
    "distance_logits",
    "gm_log_density",
    "gm_logits",
    "gm_loss",
    "gm_optimal_distance",
    "isotropic_loss",
    "l_softmax_logits",
    "lgm_loss",
    "max_mahalanobis_means",
    "mixture_terms",
    "nearest",
    "reverse_cross_entropy",
    "zero_tiny_gradients",
]
