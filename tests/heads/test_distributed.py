"""Two processes that share a batch do what one does with all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from drumlin.heads._distributed import whole_batch
from drumlin.settings.heads import HEADS

SCRIPT = Path(__file__).with_name("processes.py")


def run(out: Path, count: int) -> dict[str, torch.Tensor]:
    port = 20000 + (os.getpid() + 7919) % 20000
    several = ["-m", "torch.distributed.run", f"--nproc-per-node={count}", f"--master-port={port}"]
    command = [sys.executable, *(several if count > 1 else []), str(SCRIPT), str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return load_file(out)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    folder = tmp_path_factory.mktemp("processes")
    return run(folder / "one.safetensors", 1), run(folder / "two.safetensors", 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*HEADS, "triplet alone", "triplet semi-hard", "contrastive alone", "center by gradient"]
)
def test_two_processes_equal_one(outcomes, name: str) -> None:
    """Terms, gradients of features, buffers, and the state after training, in float64; shares of any size."""
    one, two = ({key: value for key, value in each.items() if key.startswith(f"{name}/")} for each in outcomes)
    assert one.keys() == two.keys()
    assert {key.split("/")[1] for key in one} == {"trained", "even", "uneven", "one without", "one with one"}
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=1e-9, atol=1e-9, msg=key)


def test_one_process_keeps_its_batch() -> None:
    z, y = torch.randn(3, 2, requires_grad=True), torch.tensor([0, 1, 0])
    batch = whole_batch(z, y, training=True)
    assert batch.z is z
    assert batch.y is y
    assert batch.first == 0
    assert whole_batch(z.bfloat16(), y, training=False).z.dtype == torch.float32
