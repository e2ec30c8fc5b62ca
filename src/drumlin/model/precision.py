"""The precision of a network: a context, the same in training and in extraction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def resolve_precision(precision: str, device: torch.device) -> str:
    """Return "float32" or "bfloat16": what "auto" means on `device`, or `precision` itself.

    auto is bfloat16 where the processor has instructions for it: AMX or AVX-512 BF16 on a CPU, Ampere or newer on CUDA.

    Raises:
        ValueError: another word.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"precision must be auto, float32 or bfloat16, got {precision!r}")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    pays = device.type == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
    return "bfloat16" if pays else "float32"


@contextmanager
def precision_context(precision: str, device: torch.device) -> Iterator[None]:
    """Run the block in `precision`, the same in training and in extraction; "float32" shuts off an outer autocast."""
    with torch.autocast(device_type=device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        yield
