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


def test_lines_that_are_as_they_should_be_stay_to_the_byte(tmp_path: Path) -> None:
    lines = RECORDS.read_text().splitlines(keepends=True)
    place = next(i for i, record in enumerate(read(RECORDS)) if record.published_source == "L Table 1")
    old = dataclasses.replace(read(RECORDS)[place], published=0.5)
    (tmp_path / "some.jsonl").write_text("".join(lines[:place]))
    append(tmp_path / "some.jsonl", [old])
    with (tmp_path / "some.jsonl").open("a") as file:
        file.write("".join(lines[place + 1 :]))
    assert _run("--results", tmp_path).returncode == 0
    mended = (tmp_path / "some.jsonl").read_text().splitlines(keepends=True)
    assert [line for i, line in enumerate(mended) if i != place] == [line for i, line in enumerate(lines) if i != place]
    assert read(tmp_path / "some.jsonl") == read(RECORDS)
