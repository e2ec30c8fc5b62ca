import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from drumlin import _io
from drumlin.training.distributed import Processes, first_process, processes

WORDS = [
    "train",
    "--data",
    "digits:0,1",
    "--backbone",
    "cvpr-6",
    "--backbone.feature-dim",
    "8",
    "--epochs",
    "1",
    "--precision",
    "float32",
]


def launch(out: Path, *words: str, count: int = 0) -> subprocess.CompletedProcess[str]:
    """Run drumlin on its own, or on `count` processes of torchrun."""
    port = 20000 + os.getpid() % 20000
    several = ["-m", "torch.distributed.run", f"--nproc-per-node={count}", f"--master-port={port}"]
    command = [sys.executable, *(several if count else []), "-m", "drumlin.cli", *WORDS, "--out", str(out), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


@pytest.mark.slow
@pytest.mark.parametrize("head", [("gm",), ("triplet", "--head.softmax-weight", "0")], ids=["gm", "triplet alone"])
def test_two_processes_end_where_one_does(tmp_path: Path, head: tuple[str, ...]) -> None:
    """Also what a head does not learn by gradient: class means that are fitted at the end."""
    words = ("--head", *head, "--batch-size", "64", "--optimizer.lr", "0.01")
    one, two = tmp_path / "one", tmp_path / "two"
    alone, together = launch(one, *words), launch(two, *words, count=2)
    assert alone.returncode == 0, alone.stderr
    assert together.returncode == 0, together.stderr
    expected, weights = (load_file(run / "model.safetensors") for run in (one, two))
    assert expected.keys() == weights.keys()
    for name, value in expected.items():
        assert torch.allclose(weights[name].double(), value.double(), rtol=0, atol=1e-6), name
    assert together.stderr.count("epoch 1/1") == 1  # one of them speaks
    assert together.stderr.count("trained: ") == 1
    assert json.loads((two / "environment.json").read_text())["processes"] == 2


@pytest.mark.slow
def test_a_batch_that_two_processes_cannot_share(tmp_path: Path) -> None:
    done = launch(tmp_path / "odd", "--head", "gm", "--batch-size", "33", count=2)
    assert done.returncode != 0
    assert "batch_size is 33, which 2 processes cannot share evenly; give a multiple of 2" in done.stderr
    assert not (tmp_path / "odd").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_a_folder_that_another_process_trains_in_is_refused_by_both(tmp_path: Path) -> None:
    out = tmp_path / "taken"
    out.mkdir()
    with open(out / ".lock", "ab") as lock, _io.locked(lock, exclusive=True):
        done = launch(out, "--head", "gm", "--batch-size", "64", count=2)
    assert done.returncode != 0
    assert done.stderr.count(f"drumlin: another process is training in {out}: wait for it") == 2
    assert "drumlin/training" not in done.stderr  # no traceback of ours
    assert [path.name for path in out.iterdir()] == [".lock"]


def test_a_block_that_the_first_process_enters() -> None:
    told: list[str] = []

    @contextmanager
    def block() -> Iterator[None]:
        told.append("in")
        yield
        told.append("out")

    with Processes().entered_by_first(block, torch.device("cpu")):
        told.append("inside")
    assert told == ["in", "inside", "out"]

    @contextmanager
    def refusing() -> Iterator[None]:
        raise ValueError("taken")
        yield

    with pytest.raises(ValueError, match="taken"), Processes().entered_by_first(refusing, torch.device("cpu")):
        pass


def test_without_torchrun_there_is_one_process() -> None:
    with processes(torch.device("cpu")) as group:
        assert group == Processes(0, 1)
        assert group.first
        group.wait()
        values = torch.ones(2)
        assert group.sum(values) is values


def test_the_first_process_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert first_process()
    monkeypatch.setenv("RANK", "1")
    assert not first_process()
