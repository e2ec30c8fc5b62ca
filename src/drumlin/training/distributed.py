"""Several processes, as `torchrun` starts them; without it, one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """This process's rank among `world` of them; the first one writes files."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Return `values` summed over all processes."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def wait(self) -> None:
        """Return once every process has come here."""
        if self.world > 1:
            dist.barrier()

    @contextmanager
    def entered_by_first(
        self, block: Callable[[], AbstractContextManager[None]], device: torch.device
    ) -> Iterator[None]:
        """Enter a block in the first process alone; all go on, or, where it was refused with a ValueError, all raise that."""
        with ExitStack() as held:
            refusal: list[str | None] = [None]
            if self.first:
                try:
                    held.enter_context(block())
                except ValueError as error:
                    refusal = [str(error)]
            if self.world > 1:
                dist.broadcast_object_list(refusal, src=0, device=device)
            if refusal[0] is not None:
                raise ValueError(refusal[0])
            yield


def first_process() -> bool:
    """Return whether this is the process that talks to the user, also before and after the processes have joined."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started (gloo on a CPU, nccl on CUDA), and leave them at the end."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 or dist.is_initialized():
        yield Processes(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else Processes()
        return
    # Imported later, by DistributedDataParallel's first use, its functions would have this group as their default argument: it would
    # outlive destroy_process_group, and its threads, running while the interpreter ends, now and then abort the process.
    import torch.distributed.nn  # noqa: F401

    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), world)
    finally:
        dist.destroy_process_group()
