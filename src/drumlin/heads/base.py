"""What every head shares: checks, reduction, class weights and the groups an optimiser needs. A new head fills two hooks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Reduction = Literal["mean", "sum", "none"]
_REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": torch.mean,
    "sum": torch.sum,
    "none": lambda per_sample: per_sample,
}


@dataclass(frozen=True)
class HeadOutput:
    """What a head says of a batch with labels.

    Attributes:
        loss: the reduced sum of `terms`: a scalar, or (N,) where the reduction is "none".
        terms: name → (N,), each with its weight: `loss == reduce(sum(terms.values()))`.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    running_prediction: Tensor | None
    _logits: Tensor | Callable[[], Tensor | None] | None

    @cached_property
    def logits(self) -> Tensor | None:
        """Logits (N, K) without margin, made when first asked for; None where they were never materialised.

        Detached where the loss is fused: differentiate `head.logits(z)` instead.
        """
        return self._logits() if callable(self._logits) else self._logits

    @cached_property
    def prediction(self) -> Tensor:
        """The most probable class (N,), without margin; of the logits it is found when first asked for."""
        if self.running_prediction is not None:
            return self.running_prediction
        assert self.logits is not None
        return self.logits.argmax(1)


class Head(nn.Module):
    """Features → logits and loss.

    A subclass fills `logits` and `_terms`; a margin acts if and only if the module is in training mode.

    Args:
        in_features: D, at least 1.
        num_classes: K, at least 2.
        reduction: how per-sample losses become `HeadOutput.loss`: "mean", "sum" or "none".

    Raises:
        ValueError: an argument outside its range.
    """

    class_weights: Tensor | None

    def __init__(self, in_features: int, num_classes: int, *, reduction: Reduction = "mean") -> None:
        super().__init__()
        if in_features < 1:
            raise ValueError(f"in_features must be at least 1, got {in_features}")
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}: one class leaves nothing to decide")
        if reduction not in _REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(_REDUCTIONS)}, got {reduction!r}")
        self.in_features = in_features
        self.num_classes = num_classes
        self.reduction = reduction
        self.register_buffer("class_weights", None, persistent=False)

    @property
    def class_means(self) -> Tensor | None:
        """The points of feature space (K, D) around which the head gathers its classes, detached; None where it has none."""
        return None

    @abstractmethod
    def logits(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Return logits (N, K) whose softmax is p(k|z): without label, without margin, differentiable."""

    @abstractmethod
    def _terms(
        self, z: Tensor, y: Tensor
    ) -> tuple[dict[str, Tensor], Tensor | None, Tensor | Callable[[], Tensor | None] | None]:
        """Return the weighted terms, each (N,), then None and logits (N, K), or what makes them; or a prediction (N,) and None."""

    def forward(self, z: Float[Tensor, "n d"], y: Int[Tensor, " n"] | None = None) -> HeadOutput | Tensor:
        """Return `HeadOutput` if labels are given, else the logits (N, K).

        Args:
            z: features (N, D), floating point. N = 0 gives empty terms; their mean is NaN.
            y: labels (N,), int64, in 0..K−1. Values outside are errors, −100, which other losses ignore, too: leave such samples out.
                They are found on the CPU; on a GPU the check would wait for it.

        Raises:
            ValueError: z or y of another shape or type or on another device, or a label out of range.
        """
        self._check_features(z)
        if y is not None:
            self._check_labels(z, y)
        try:
            if y is None:
                return self.logits(z)
            terms, running_prediction, logits = self._terms(z, y)
        except RuntimeError:
            self._check_device(z)  # only now: walking through the parameters at every step is not free
            raise
        if self.class_weights is not None:
            weights = self.class_weights[y]
            terms = {name: term * weights for name, term in terms.items()}
        total = reduce(torch.add, terms.values())
        return HeadOutput(_REDUCTIONS[self.reduction](total), terms, running_prediction, logits)

    def set_class_weights(self, weights: Tensor | None) -> None:
        """Multiply every term of a sample by its class's weight (K,) from now on; None stops it. Not part of the state.

        Raises:
            ValueError: not one positive, finite weight a class.
        """
        if weights is not None and (
            weights.shape != (self.num_classes,) or not bool((weights.isfinite() & (weights > 0)).all())
        ):
            raise ValueError(f"class weights must be {self.num_classes} positive numbers, got {weights.tolist()}")
        self.class_weights = weights

    def param_groups(self, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return the head's parameters as groups for a `torch.optim` optimiser; together they hold every parameter once.

        By default matrices decay and vectors (biases) do not.
        """
        return matrices_decay(self.parameters(), lr, weight_decay)

    def finish(self, features: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit what can only be known once the network is trained; most heads have nothing of the kind and read nothing.

        `drumlin train` calls it after the last step. In a training loop of your own do the same, in evaluation mode and before the
        model is saved: `head.finish((network(x), y) for x, y in loader)`. On several processes each gives all samples.

        Args:
            features: batches of features (N, D) and labels (N,) of the whole training set, in any order, read once at most.

        Raises:
            ValueError: features that do not fit; a class without a sample where each needs one.
        """

    def _check_features(self, z: Tensor) -> None:
        if z.ndim != 2 or z.shape[1] != self.in_features:
            raise ValueError(f"z must be features of shape (N, {self.in_features}), got {tuple(z.shape)}")
        if not z.is_floating_point():
            raise ValueError(f"z must be floating point, got {z.dtype}")

    @property
    def device(self) -> torch.device:
        """The device of its parameters and buffers; the CPU if it has none."""
        return next((tensor.device for tensor in chain(self.parameters(), self.buffers())), torch.device("cpu"))

    def _check_device(self, z: Tensor) -> None:
        own = next(chain(self.parameters(), self.buffers()), z).device
        if z.device != own:
            raise ValueError(f"z is on {z.device}, the head on {own}: move one to the other")

    def _check_labels(self, z: Tensor, y: Tensor) -> None:
        if y.dtype != torch.int64 or y.shape != z.shape[:1]:
            raise ValueError(
                f"y must be int64 labels of shape ({z.shape[0]},), got {y.dtype} of shape {tuple(y.shape)}"
            )
        if y.device != z.device:
            raise ValueError(f"y is on {y.device}, z on {z.device}: move one to the other")
        if y.device.type == "cpu" and y.numel():
            low, high = (int(bound) for bound in y.aminmax())
            if low < 0 or high >= self.num_classes:
                raise ValueError(f"y must lie in 0..{self.num_classes - 1}, got {low if low < 0 else high}")

    def extra_repr(self) -> str:
        """Return the sizes, for `repr`."""
        return f"in_features={self.in_features}, num_classes={self.num_classes}"


def matrices_decay(parameters: Iterable[Tensor], lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Return groups for an optimiser in which matrices have weight decay and vectors (biases) have none."""
    own = list(parameters)
    return _groups(
        {"params": [p for p in own if p.ndim > 1], "lr": lr, "weight_decay": weight_decay},
        {"params": [p for p in own if p.ndim <= 1], "lr": lr, "weight_decay": 0.0},
    )


def _groups(*groups: dict[str, Any]) -> list[dict[str, Any]]:
    return [group for group in groups if group["params"]]
