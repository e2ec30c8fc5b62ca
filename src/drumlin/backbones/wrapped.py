"""What a classifier asks of any backbone, and a user's own model as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from drumlin import _io
from drumlin.backbones.base import pool, record_outputs


class FeatureExtractor(Protocol):
    """Normalised images → features, and by name the layers before them."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return features (N, D)."""

    def forward_with_hidden(self, x: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return features (N, D) and the pooled outputs (N, D_layer) of the layers `names`."""

    def hidden_names(self) -> tuple[str, ...]:
        """Return the names that `forward_with_hidden` takes."""

    @property
    def has_dropout(self) -> bool:
        """Whether draws in training mode differ."""


class WrappedBackbone(nn.Module):
    """A user's model without its last linear layer, as a `FeatureExtractor`; its direct children are the hidden layers."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    @property
    def has_dropout(self) -> bool:
        """Whether any dropout layer drops anything."""
        return any(isinstance(layer, _DropoutNd) and layer.p > 0 for layer in self.module.modules())

    def hidden_names(self) -> tuple[str, ...]:
        """Return the names of the module's children."""
        return tuple(name for name, _ in self.module.named_children())

    def forward_with_hidden(self, x: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return features and, by name, pooled outputs of children."""
        layers = dict(self.module.named_children())
        for name in names:
            if name not in layers:
                raise _io.unknown("hidden layer", name, layers)
        with record_outputs({name: layers[name] for name in names}, transform=pool) as outputs:
            z = self(x)
        return z, outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the features."""
        return self.module(x)  # type: ignore[no-any-return]
