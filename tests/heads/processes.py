"""Run as a script, by itself or on several processes of torchrun: what every head makes of one batch, shared among them.

Writes to argv[1]: features' gradients and terms of the whole batch, and the state after three steps of training.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from drumlin.heads import Head, create_head
from drumlin.settings.heads import HEADS, head_settings
from drumlin.training.distributed import Processes, processes

D, K, N = 5, 4, 12
SHARES = {"even": [6, 6], "uneven": [9, 3], "one without": [12, 0], "one with one": [11, 1]}
OPTIONS = {
    "center": {"center_weight": 0.5},
    "isotropic": {"weight": 1.0},
    "triplet alone": {"softmax_weight": 0.0, "margin": 9.0},
    "triplet semi-hard": {"mining": "semi-hard"},
    "contrastive alone": {"softmax_weight": 0.0, "margin": 5.0},
    "center by gradient": {"update": "gradient"},
    "gm": {"warmup_steps": 2},
    "lgm": {"warmup_steps": 2},
}
NAMES = [*HEADS, *(name for name in OPTIONS if name not in HEADS)]


class Network(nn.Module):
    """Just enough of one that its gradients come from the head's."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.layer = nn.Linear(3, D, dtype=torch.float64)
        self.head = head

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.head(self.layer(x), y).loss


def make(name: str) -> Head:
    torch.manual_seed(0)
    return create_head(head_settings(name.split()[0], **OPTIONS.get(name, {})), D, K).double()


def draw(seed: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(N, width, dtype=torch.float64, generator=generator), torch.randint(
        0, K, (N,), generator=generator
    )


def share(sizes: list[int], group: Processes) -> slice:
    """This process's part of the batch."""
    if group.world == 1:
        return slice(0, N)
    first = sum(sizes[: group.rank])
    return slice(first, first + sizes[group.rank])


def whole(rows: Tensor, own: slice, group: Processes) -> Tensor:
    """The batch's rows, of which each process gives its own."""
    everyone = rows.new_zeros(N, *rows.shape[1:])
    everyone[own] = rows
    return group.sum(everyone)


def outcome(name: str, sizes: list[int], group: Processes) -> dict[str, Tensor]:
    """Terms of each sample, the gradient of their sum over all samples by each feature, and the buffers it leaves."""
    head, own = make(name), share(sizes, group)
    z, y = draw(1, D)
    z = z[own].clone().requires_grad_()
    terms = head(z, y[own]).terms
    sum(term.sum() for term in terms.values()).backward()
    found = {f"buffer {key}": buffer for key, buffer in head.named_buffers() if key in head.state_dict()}
    for key, rows in {"gradient": z.grad, **{f"term {term}": value.detach() for term, value in terms.items()}}.items():
        found[key] = whole(rows, own, group)
    return found


def trained(name: str, group: Processes) -> dict[str, Tensor]:
    """The state after three steps in equal shares."""
    network, own = Network(make(name)), share(SHARES["even"], group)
    model = DistributedDataParallel(network) if group.world > 1 else network
    optimizer = torch.optim.SGD([{"params": network.layer.parameters()}, *network.head.param_groups(0.1, 0.0)], lr=0.1)
    for step in range(3):
        x, y = draw(step, 3)
        optimizer.zero_grad()
        model(x[own], y[own]).backward()
        optimizer.step()
    return {key: value.clone() for key, value in network.state_dict().items()}


def main() -> None:
    with processes(torch.device("cpu")) as group:
        results = {}
        for name in NAMES:
            for key, value in trained(name, group).items():
                results[f"{name}/trained/{key}"] = value
            for shares, sizes in SHARES.items():
                for key, value in outcome(name, sizes, group).items():
                    results[f"{name}/{shares}/{key}"] = value
            if group.world > 1:  # in evaluation nothing is exchanged: the first process may be alone in it
                head = make(name).eval()
                if group.first:
                    head(*draw(1, D))
        if group.first:
            save_file({key: value.contiguous().clone() for key, value in results.items()}, sys.argv[1])
        group.wait()
    assert not gloo_threads(), "threads that run while the interpreter ends now and then abort it"


def gloo_threads() -> list[str]:
    """The names of this process's threads that belong to a process group, where the system tells."""
    names = [file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name]


if __name__ == "__main__":
    main()
