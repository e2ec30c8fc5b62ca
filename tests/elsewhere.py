"""A second device, for machines without one: it computes on the CPU, and refuses to mix its tensors with the CPU's, as CUDA does.

What works there has left no tensor behind on another device. It shows nothing of an accelerator's speed or rounding.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

_aten = torch.ops.aten
_COPIES = {_aten._to_copy.default, _aten.copy_.default}
_INDEXED = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default}
_LIBRARIES: list[torch.library.Library] = []
_FORBIDDEN: set[torch.dtype] = set()


class _Module(_DummyBackendModule):  # type: ignore[misc]
    """What torch asks the module of a device, `torch.elsewhere`, for."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def get_rng_state(self, device: torch.device | int | None = None) -> Tensor:
        """It draws from the CPU's generator."""
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: torch.device | int | None = None) -> None:
        torch.set_rng_state(state)


class Elsewhere(Tensor):
    """A tensor of the device: a shape, and a tensor of the CPU that has the values."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "Elsewhere":
        if inner.dtype in _FORBIDDEN:
            raise TypeError(f"elsewhere has no {inner.dtype}")
        return Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device("elsewhere", 0),
        )

    def __init__(self, inner: Tensor) -> None:
        self.inner = inner

    def __repr__(self) -> str:
        return f"Elsewhere({self.inner})"

    def tolist(self) -> Any:
        """Torch itself knows this of plain tensors alone."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(op, *args, **(kwargs or {}))


def _run(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    if op not in _COPIES:
        # Numbers may come from the CPU, and so may indices.
        strict = [args[0], *args[2:]] if op in _INDEXED else [args, kwargs]
        for leaf in tree_leaves(strict):
            if isinstance(leaf, Tensor) and not isinstance(leaf, Elsewhere) and leaf.ndim > 0:
                raise RuntimeError(f"{op}: tensors on different devices, elsewhere and {leaf.device}")
    computed = op(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if op is _aten.copy_.default:
        return args[0]
    if kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "cpu":
        return computed
    wrapped = tree_map(lambda leaf: Elsewhere(leaf) if isinstance(leaf, Tensor) else leaf, computed)
    return return_and_correct_aliasing(op, args, kwargs, wrapped) if tensors else wrapped


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    _inner(target).copy_(_inner(source))
    return target


def _inner(leaf: Any) -> Any:
    if isinstance(leaf, torch.device):
        return torch.device("cpu")
    return leaf.inner if isinstance(leaf, Elsewhere) else leaf


def register() -> None:
    """Make the device known to torch, before its first backward pass in this process: then it counts the devices."""
    _setup_privateuseone_for_python_backend("elsewhere", backend_module=_Module())
    everything, copies = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    everything.fallback(_run, "PrivateUse1")  # what makes tensors out of none
    copies.impl("_copy_from", _copy_from, "PrivateUse1")  # torch.tensor(..., device=) calls it past all dispatch
    for name in ("arange", "arange.start", "arange.start_step", "eye", "eye.m", "linspace", "randperm"):
        op = getattr(getattr(_aten, name.split(".")[0]), name.partition(".")[2] or "default")
        copies.impl(name, partial(_run, op), "PrivateUse1")  # torch's own would grow an empty tensor
    _LIBRARIES.extend((everything, copies))  # registrations live as long as these


@contextmanager
def lacking(*types: torch.dtype) -> Iterator[torch.device]:
    """Give the device, for the block without some types of number."""
    _FORBIDDEN.update(types)
    try:
        yield torch.device("elsewhere", 0)
    finally:
        _FORBIDDEN.clear()
