import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

pytestmark = pytest.mark.slow

MOMENTS = (
    "before-config",
    "after-config",
    "first-step",
    "mid-epoch",
    "checkpoint-not-renamed",
    "between-checkpoint-and-log",
    "between-last-checkpoint-and-log",
    "before-model",
    "before-description",
)
TIMES = {"images_per_second", "seconds", "seconds_with_evaluation"}


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    place = tmp_path_factory.mktemp("interrupted")
    script = Path(__file__).with_name("interrupted.py")
    done = subprocess.run([sys.executable, script, place], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return place


def log(run: Path) -> list[dict[str, object]]:
    lines = (run / "training.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in TIMES} for line in lines]


@pytest.mark.parametrize(("optimizer", "moment"), [*itertools.product(("sgd", "adamw"), MOMENTS)])
def test_a_killed_training_resumes_to_the_very_weights_and_log(interrupted: Path, optimizer: str, moment: str) -> None:
    killed, resumed = json.loads((interrupted / "codes.json").read_text())[f"{optimizer}/{moment}"]
    assert (killed, resumed) == (-9, 0)  # it really was killed
    whole, run = interrupted / optimizer / "whole", interrupted / optimizer / moment
    weights, expected = load_file(run / "model.safetensors"), load_file(whole / "model.safetensors")
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert log(run) == log(whole)
    assert [record["epoch"] for record in log(whole)] == [1, 2, 3]
    for file in ("config.json", "model.json"):
        assert (run / file).read_bytes() == (whole / file).read_bytes()


def test_dropout_and_optimizer_state_matter_here(interrupted: Path) -> None:
    # else the comparison above would not notice that one of them is lost
    for optimizer, states in (("sgd", ("momentum_buffer",)), ("adamw", ("exp_avg", "exp_avg_sq", "step"))):
        tensors = load_file(interrupted / optimizer / "whole" / "checkpoint" / "last.safetensors")
        kept = {name.rpartition(".")[2] for name in tensors if name.startswith("optimizer.")}
        assert kept == set(states)
        config = json.loads((interrupted / optimizer / "whole" / "config.json").read_text())
        assert config["backbone"]["dropout"] == 0.3
