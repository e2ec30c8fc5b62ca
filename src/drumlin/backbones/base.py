"""What every backbone is: a trunk, then a linear map to the features; with access to the layers in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from drumlin._io import unknown

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]


class Trunk(nn.Module):
    """Normalised images (N, C, H, W) → trunk features (N, F). Subclasses set `out_features` = F.

    Attributes:
        out_features: F.
        normalisation: the (mean, standard deviation) per channel, of pixels in [0, 1], that pretrained weights expect
            of the images; None where there are none.
        adapts_to: how many training images `adapt` is to be given before the first step; 0 if it does nothing.
    """

    out_features: int
    normalisation: Normalisation | None = None
    adapts_to: int = 0

    def hidden_modules(self) -> dict[str, nn.Module]:
        """Return the layers usable for hidden features, by name, in the network's order: by default every child."""
        return dict(self.named_children())

    def adapt(self, x: Float[Tensor, "n c h w"]) -> None:
        """Take from normalised training images what the network needs of them before its first step; by default nothing."""


class Backbone(nn.Module):
    """A trunk, dropout, and a linear map to the features, with an optional ReLU: z = s·(W·trunk(x) + b).

    Args:
        trunk: images (N, C, H, W), normalised floats → (N, F).
        in_channels: C.
        feature_dim: D.
        relu: ReLU after the linear map (L §4.1, the 100-D setting).
        dropout: probability of dropping each trunk feature, in training mode.
        linear: the linear map; without it z = s·trunk(x), as in networks whose classifier comes right after the pooling.
        scale: s > 0, not learned. With SGD s·W is a map that begins s times as small and learns at s² of the rate, as its gradients
            are s times as long, and so is what a step of it does to z. Gradients of the trunk begin s times as long, too.
        freeze: keep the trunk in evaluation mode and its parameters without gradients, also after `train()`. Gradients
            with respect to the images still flow.

    >>> from drumlin.backbones import create_backbone
    >>> from drumlin.settings.backbones import backbone_settings
    >>> backbone = create_backbone(backbone_settings("digits-cnn", feature_dim=2), channels=1, size=8)
    >>> backbone(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 2])
    >>> z, hidden = backbone.forward_with_hidden(torch.zeros(5, 1, 8, 8), ["stage1", "trunk"])
    >>> {name: tuple(values.shape) for name, values in hidden.items()}
    {'stage1': (5, 64), 'trunk': (5, 256)}
    """

    def __init__(
        self,
        trunk: Trunk,
        *,
        in_channels: int,
        feature_dim: int,
        relu: bool = False,
        dropout: float = 0.0,
        linear: bool = True,
        scale: float = 1.0,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        if not linear and feature_dim != trunk.out_features:
            raise ValueError(
                f"feature_dim is {feature_dim}, but without the linear map features are the trunk's {trunk.out_features}: "
                f"set feature_dim to {trunk.out_features}, or leave linear on"
            )
        self.in_channels = in_channels
        self.feature_dim = feature_dim
        self.relu = relu
        self.freeze = freeze
        self.trunk = trunk
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(trunk.out_features, feature_dim) if linear else nn.Identity()
        self.scale = scale
        if freeze:
            trunk.requires_grad_(False)
            trunk.eval()

    @property
    def has_dropout(self) -> bool:
        """Whether any dropout layer drops anything, so that repeated draws in training mode differ.

        Layers of `torch.nn` count; dropout that a library's model does by function call is not seen. In a frozen trunk
        dropout never acts.
        """
        seen = [self.dropout, *([] if self.freeze else self.trunk.modules())]
        return any(isinstance(module, _DropoutNd) and module.p > 0 for module in seen)

    def extra_repr(self) -> str:
        """Return what no layer shows, for `repr`."""
        return f"relu={self.relu}, scale={self.scale}"

    def hidden_names(self) -> tuple[str, ...]:
        """Return the names that `forward_with_hidden` takes, in the network's order; "trunk" is its output."""
        return (*self.trunk.hidden_modules(), "trunk")

    def train(self, mode: bool = True) -> Backbone:
        """Set training mode, which a frozen trunk stays out of."""
        super().train(mode)
        if self.freeze:
            self.trunk.eval()
        return self

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Return the features z of normalised images."""
        z: Tensor = self.linear(self.dropout(self.trunk(x)))
        if self.scale != 1:  # not in bfloat16, whose features would be rounded once more
            z = self.scale * z.to(torch.promote_types(z.dtype, torch.float32))
        return z.relu() if self.relu else z

    def forward_with_hidden(
        self, x: Float[Tensor, "n c h w"], names: Sequence[str]
    ) -> tuple[Float[Tensor, "n d"], dict[str, Float[Tensor, "n _"]]]:
        """Return the features z and, by name, the outputs of the layers `names`, from one pass and with their graph.

        Maps (N, C, h, w) are averaged over their pixels, tokens (N, T, C) over the tokens, in float32 at least. A layer
        that is used more than once gives its last output.

        Raises:
            ValueError: a name that is not one of `hidden_names()`.
        """
        layers = {**self.trunk.hidden_modules(), "trunk": self.trunk}
        for name in names:
            if name not in layers:
                raise unknown("hidden layer", name, layers)
        with record_outputs({name: layers[name] for name in names}, transform=pool) as outputs:
            z = self(x)
        return z, {name: outputs[name] for name in names}


@contextmanager
def record_outputs(
    layers: dict[str, nn.Module], *, transform: Callable[[Tensor], Tensor]
) -> Iterator[dict[str, Tensor]]:
    """Record `transform` of those outputs of `layers` that have 2 to 4 dimensions; the hooks go when the block ends."""
    outputs: dict[str, Tensor] = {}

    def recorder(name: str) -> Callable[[nn.Module, object, object], None]:
        def record(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and 2 <= output.dim() <= 4:
                outputs[name] = transform(output)

        return record

    with ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.callback(layer.register_forward_hook(recorder(name)).remove)
        yield outputs


def pool(output: Tensor) -> Float[Tensor, "n d"]:
    """Average maps (N, C, h, w) over their pixels and tokens (N, T, C) over the tokens; a copy, in float32 at least.

    A copy, for the next layer may write over the output in place.

    >>> pool(torch.arange(4.0).reshape(1, 1, 2, 2))
    tensor([[1.5000]])
    """
    dtype = torch.promote_types(output.dtype, torch.float32)
    if output.dim() == 2:
        return output.to(dtype, copy=True)
    return output.mean((2, 3) if output.dim() == 4 else 1, dtype=dtype)


def initialise(module: nn.Module, negative_slope: float = 0.0) -> None:
    """Draw every convolution's weights from N(0, 2 / ((1 + a²)·fan_out)), a the slope of the (P)ReLU; biases 0.

    Source: He et al. 2015, "Delving Deep into Rectifiers", eq. 14.

    >>> initialise(nn.Conv2d(1, 8, 3))
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, a=negative_slope, mode="fan_out", nonlinearity="leaky_relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def check_size(name: str, size: tuple[int, int], smallest: int) -> None:
    """Refuse images too small for the backbone called `name`.

    >>> check_size("cvpr-6", (4, 28), 8)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: backbone 'cvpr-6' takes images of at least 8x8 pixels, not 4x28; ...
    """
    height, width = size
    if min(size) < smallest:
        raise ValueError(
            f"backbone {name!r} takes images of at least {smallest}x{smallest} pixels, not {height}x{width}; "
            "enlarge them (image_size) or take another backbone"
        )
