"""Where to compute: the device of a name, and what a device can do."""

from __future__ import annotations

import os

import torch


def resolve_device(name: str) -> torch.device:
    """Return the device called `name`; auto is CUDA, else MPS, else the CPU. cuda without a number is this process's own.

    Raises:
        ValueError: no such device, or it is not there.

    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return _own(torch.device(accelerator))
    try:
        device = _own(torch.device(name))
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from None
    return device


def _own(device: torch.device) -> torch.device:
    """Return this process's device where "cuda" alone leaves open which."""
    if device.type != "cuda" or device.index is not None:
        return device
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def widest_float(device: torch.device) -> torch.dtype:
    """Return float64, or float32 on a device that has no float64, as MPS.

    >>> widest_float(torch.device("cpu"))
    torch.float64
    """
    try:
        torch.empty(0, dtype=torch.float64, device=device)
    except TypeError:
        return torch.float32
    return torch.float64
