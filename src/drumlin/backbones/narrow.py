"""Convolutions over narrow maps, whose weights' gradient bfloat16 processors compute faster for images laid side by side."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

_ROW = 32
"""Positions of a row that a tile of AMX holds in bfloat16: 64 bytes."""
WIDEST = 8
"""Widest maps that are laid side by side: those of 8 pixels (three fit) gain half again, those of 10 now and then, and of those of 15
copying costs what the product saves (256 channels and fewer, two cores)."""


class NarrowConv2d(nn.Conv2d):
    """A 3x3 convolution that keeps the size of maps, made for narrow ones: the same as `torch.nn.Conv2d`, but sooner trained.

    The gradient of the weights is a sum over all positions of all maps. On processors with AMX, in bfloat16, oneDNN sums row by row:
    it loads what it has, adds up to 32 positions at once, and stores it again, also where a row has 7 or 3. So several images are laid
    side by side, with a column of zeros between two, which is their padding, and the gradient is that of a convolution over these: the
    same sum, in another order. Forward, elsewhere, and on maps wider than 8 pixels nothing is otherwise than in `torch.nn.Conv2d`.

    Nor is it in evaluation mode, where gradients are those of images (attacks): torch then leaves out those of weights that nobody
    asks for, which a function of our own cannot know.

    Args:
        inputs: channels.
        outputs: channels.

    Source: oneDNN, src/cpu/x64/jit_avx512_core_amx_conv_kernel.cpp, `compute_ic_loop` of the kernel for weights, which shows why.

    >>> NarrowConv2d(8, 16)(torch.zeros(2, 8, 7, 7)).shape
    torch.Size([2, 16, 7, 7])
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=False)

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return the maps."""
        if not self._pays(input):
            return super().forward(input)
        z: Tensor = SideBySide.apply(input.to(torch.bfloat16), self.weight.to(torch.bfloat16))
        return z

    def _pays(self, x: Tensor) -> bool:
        """Return whether a gradient of the weights will be computed in bfloat16 on AMX, over narrow maps."""
        return (
            x.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.get_autocast_dtype("cpu") == torch.bfloat16
            and torch.is_grad_enabled()
            and self.training
            and self.weight.requires_grad
            and x.shape[3] <= WIDEST
            and torch.cpu._is_amx_tile_supported()
        )


class SideBySide(torch.autograd.Function):
    """A 3x3 convolution, zero-padded to the size of its input; its weights' gradient is summed over images side by side."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> Tensor:
        """Return maps (N, D, H, W) of maps (N, C, H, W) and weights (D, C, 3, 3)."""
        return F.conv2d(x, weight, padding=1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        """Keep what the gradients need."""
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of both, themselves differentiable."""
        x, weight = ctx.saved_tensors
        of_x = _gradients(g, x, weight, (True, False))[0] if ctx.needs_input_grad[0] else None
        return of_x, gradient_of_weights(g, x, weight) if ctx.needs_input_grad[1] else None


def gradient_of_weights(
    g: Float[Tensor, "n d h w"], x: Float[Tensor, "n c h w"], weight: Float[Tensor, "d c 3 3"]
) -> Float[Tensor, "d c 3 3"]:
    """Return the gradient of a 3x3 convolution's weights, of the gradient `g` of its maps and of its input, by images side by side.

    Only the shape and the memory format of `weight` matter.
    """
    found = _gradients(side_by_side(g), side_by_side(x), weight, (False, True))[1]
    assert found is not None
    return found


def _gradients(g: Tensor, x: Tensor, weight: Tensor, asked: tuple[bool, bool]) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of input and weights, as far as they are asked for."""
    of_x, of_weight, _ = torch.ops.aten.convolution_backward(
        g, x, weight, None, (1, 1), (1, 1), (1, 1), False, (0, 0), 1, (*asked, False)
    )
    return of_x, of_weight


def side_by_side(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "m c h v"]:
    """Lay as many maps side by side as 32 columns hold, with a column of zeros after each; the last row is filled up with zeros.

    Returns:
        k·(W+1) columns, k = ⌊32/(W+1)⌋ and at least 1, in channels-last memory: M = ⌈N/k⌉.

    >>> side_by_side(torch.ones(1, 1, 1, 13)).shape
    torch.Size([1, 1, 1, 28])
    """
    n, c, h, w = x.shape
    k = max(1, _ROW // (w + 1))
    rows, rest = divmod(n, k)
    wide = x.new_zeros(rows + (rest > 0), h, k, w + 1, c)
    maps = x.permute(0, 2, 3, 1)
    wide[:rows, :, :, :w] = maps[: rows * k].reshape(rows, k, h, w, c).transpose(1, 2)
    if rest:
        wide[rows, :, :rest, :w] = maps[rows * k :].transpose(0, 1)
    return wide.flatten(2, 3).permute(0, 3, 1, 2)
