"""Benchmarks run, and say what they are to say; how fast anything is no test asserts."""

import subprocess
import sys
from pathlib import Path

import pytest

from drumlin.results import read

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def _run(script: str, *words: object) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
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
    assert len(found) == 8
    assert found["1: 2x2, 3 to 24 at 31x31"].keys() == {"forward", "time"}, "images, and filters that are not learned"
    assert all(found[name].keys() == rates | {"time"} for name in found if name[0] in "234567")
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


def test_cores_are_given_to_training_in_three_ways(tmp_path: Path) -> None:
    words = ("--network", "fast-32", "--width", 4, "--batch", 64, "--images", 256, "--rounds", 1)
    assert "side by side" in _run("processes.py", *words, "--results", tmp_path / "records.jsonl")
    found = {record.metric: record.value or 0.0 for record in read(tmp_path / "records.jsonl")}
    one = found["one process, images/s"]
    assert one > 0
    for way in ("processes that share", "trainings side by side"):
        assert found[f"{way} / one process"] == pytest.approx(found[f"{way}, images/s"] / one)
