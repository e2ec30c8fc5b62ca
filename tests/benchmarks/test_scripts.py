"""Benchmarks run, and say what they are to say; how fast anything is no test asserts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from drumlin.model import resolve_precision
from drumlin.results import read

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def _done(script: str, *words: object, threads: int | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, words)]
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)


def _run(script: str, *words: object, threads: int | None = None) -> str:
    done = _done(script, *words, threads=threads)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_training_against_a_plain_loop(tmp_path: Path) -> None:
    said = _run("training.py", "--images", 256, "--repeats", 1, "--results", tmp_path / "records.jsonl")
    assert "ratio" in said
    (record,) = read(tmp_path / "records.jsonl")
    assert record.metric == "throughput / plain loop"
    assert record.value is not None
    assert record.value > 0


def test_every_convolution_is_measured_in_every_direction_it_has(tmp_path: Path) -> None:
    words = ("--width", 8, "--batch", 4, "--rounds", 1)
    assert "gradient of the weights" in _run("convolutions.py", *words, "--results", tmp_path / "records.jsonl")
    found: dict[str, dict[str, float]] = {}
    for record in read(tmp_path / "records.jsonl"):
        found.setdefault((record.protocol or "").partition("; ")[2], {})[record.metric] = record.value or 0.0
    rates = {"forward", "gradient of the input", "gradient of the weights"}
    narrow = "gradient of the weights, images side by side"
    assert len(found) == 8
    assert found["1: 2x2, 3 to 24 at 31x31"].keys() == {"forward", "time"}, "images, and filters that are not learned"
    assert all(found[name].keys() == rates | {"time"} for name in found if name[0] in "234")
    assert all(found[name].keys() == rates | {"time", narrow} for name in found if name[0] in "567")
    assert found["all"].keys() == rates
    assert found["7: 3x3, 32 to 32 at 3x3"]
    assert all(value > 0 for each in found.values() for value in each.values())
    assert sum(each.get("time", 0.0) for each in found.values()) == pytest.approx(1)


def test_the_time_of_a_network_is_all_accounted_for(tmp_path: Path) -> None:
    words = ("--network", "fast-28", "--width", 8, "--images", 512, "--repeats", 1)
    assert "images/s" in _run("network.py", *words, "--results", tmp_path / "records.jsonl")
    records = read(tmp_path / "records.jsonl")
    assert {(record.protocol or "").partition(", ")[0] for record in records} == {"fast-28 of width 8"}
    found = {record.metric: record.value or 0.0 for record in records}
    assert 0 < found["share"] < 1
    assert found["GFLOP/s"] / found["GFLOP/s of products"] == pytest.approx(found["share"])
    parts = ["convolutions", "batch normalisation", "activations", "pooling", "optimiser", "everything else"]
    assert sum(found[name] for name in parts) == pytest.approx(1)
    assert found["convolutions"] > 0.1
    assert found["batch normalisation"] > 0


AMX = torch.cpu._is_amx_tile_supported() and resolve_precision("auto", torch.device("cpu")) == "bfloat16"


@pytest.mark.skipif(not AMX, reason="images are laid side by side on processors with AMX")
def test_a_training_is_measured_with_images_side_by_side_and_without(tmp_path: Path) -> None:
    words = ("--network", "face-27", "--side", 40, "--batch", 16, "--images", 64, "--rounds", 1)
    assert "side by side / each by itself" in _run("narrow.py", *words, "--results", tmp_path / "records.jsonl")
    records = read(tmp_path / "records.jsonl")
    assert {record.protocol for record in records} == {"face-27, 40x40, batch 16, bfloat16"}
    found = {record.metric: record.value or 0.0 for record in records}
    one, other = found["side by side, images/s"], found["each by itself, images/s"]
    assert found["side by side / each by itself"] == pytest.approx(one / other)
    assert min(one, other) > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--network", "cvpr-6"), "cvpr-6 has no convolution that lays images side by side"),
        (("--network", "face-27"), "backbone 'face-27' takes images of at least 33x33 pixels, not 32x32"),
    ],
)
def test_a_network_without_narrow_maps_is_refused_in_a_line(words, said) -> None:
    done = _done("narrow.py", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"narrow.py: error: {said if AMX else 'this processor lays no images side by side'}" in done.stderr
    assert "Traceback" not in done.stderr


def test_cores_are_given_to_training_in_three_ways(tmp_path: Path) -> None:
    words = ("--network", "fast-32", "--width", 4, "--batch", 64, "--images", 256, "--rounds", 1)
    said = _run("processes.py", *words, "--results", tmp_path / "records.jsonl", threads=2)
    assert "side by side" in said
    found = {record.metric: record.value or 0.0 for record in read(tmp_path / "records.jsonl")}
    one = found["one process, images/s"]
    assert one > 0
    for way in ("processes that share", "trainings side by side"):
        assert found[f"{way} / one process"] == pytest.approx(found[f"{way}, images/s"] / one)


@pytest.mark.parametrize(
    ("words", "threads", "said"),
    [
        (("--network", "fast-23"), 2, "unknown backbone 'fast-23': did you mean 'fast-32' or 'fast-28'?"),
        (("--network", "resnet-20", "--width", 8), 2, "unknown setting of backbone 'resnet-20' 'width'"),
        ((), 1, "torch takes one thread here: there is nothing to share"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(words, threads, said) -> None:
    done = _done("processes.py", *words, threads=threads)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"processes.py: error: {said}" in done.stderr
    assert "Traceback" not in done.stderr
