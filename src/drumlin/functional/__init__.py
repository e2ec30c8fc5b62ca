"""The mathematics as pure functions on tensors: one value a sample, no state."""

from drumlin.functional._numerics import zero_tiny_gradients
from drumlin.functional.mixture import gm_logits, gm_loss, gm_optimal_distance, lgm_loss, mixture_terms

__all__ = ["gm_logits", "gm_loss", "gm_optimal_distance", "lgm_loss", "mixture_terms", "zero_tiny_gradients"]
