"""Records in results/ stand beside the published values that their recipes have now."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

from drumlin.results import append, read

ROOT = Path(__file__).parents[2]
RECORDS = ROOT / "results" / "mnist-heads.jsonl"


def _run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "published.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_committed_records_are_not_behind_their_recipes() -> None:
    done = _run("--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_record_that_is_behind_is_told_and_mended_and_no_other_is_touched(tmp_path: Path) -> None:
    whole = read(RECORDS)
    place = next(i for i, record in enumerate(whole) if record.published_source == "L Table 1")
    first = whole[place]
    old = dataclasses.replace(first, published=0.5, published_source="nowhere")
    foreign = dataclasses.replace(old, protocol="a row that is not there any more")
    unknown = dataclasses.replace(old, recipe="none")
    append(tmp_path / "some.jsonl", [*whole[:place], old, *whole[place + 1 :], foreign, unknown])
    before = (tmp_path / "some.jsonl").read_bytes()
    checked = _run("--check", "--results", tmp_path)
    assert checked.returncode == 1
    assert f"0.5 (nowhere) is {first.published} (L Table 1)" in checked.stdout
    assert checked.stderr == "1 records are behind their recipes: python benchmarks/published.py\n"
    assert (tmp_path / "some.jsonl").read_bytes() == before
    assert _run("--results", tmp_path).returncode == 0
    assert read(tmp_path / "some.jsonl") == [*whole, foreign, unknown]
