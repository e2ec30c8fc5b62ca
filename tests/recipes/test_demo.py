import json
from collections.abc import Callable
from pathlib import Path

import pytest

from drumlin.cli import main
from drumlin.data import load
from drumlin.recipes import demo as recipe
from drumlin.results import read, select
from drumlin.settings.run import RunSettings
from drumlin.tasks.base import stored_arrays
from drumlin.training import read_config

pytestmark = pytest.mark.slow


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, small: Callable[..., RunSettings]) -> None:
    """Fewer epochs of a narrower network."""
    monkeypatch.setattr(recipe, "settings", lambda head, seed: small(head, recipe.KNOWN, seed, 0.2, epochs=3))


def test_the_demo_and_its_second_run(quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr()
    for head in recipe.HEADS:
        records = read(tmp_path / "demo" / head / "results.jsonl")
        assert {r.task for r in records} == {"classification", "geometry", "robustness", "detection", "refusal"}
        assert {r.recipe for r in records} == {"demo"}
        assert {r.anomaly for r in select(records, task="detection")} == {*recipe.SETS, recipe.ATTACKED}
        assert {r.anomaly for r in select(records, task="refusal")} == {"test", *recipe.SETS, recipe.ATTACKED}
        error = select(records, task="classification", metric="error")[0]
        assert f"{100 * error.value:.2f}%" in printed.out
        assert (tmp_path / "demo" / head / "calibration.json").is_file()
        arrays = stored_arrays(tmp_path / "demo" / head, "map")
        shown = {key.partition("/")[2] for key in arrays if key.startswith("thumbnail/")}
        assert shown == {"training", "test", *recipe.SETS, recipe.ATTACKED}
        files = {path.stem for path in (tmp_path / "demo" / head / "arrays").iterdir()}
        assert files == {"classification", "geometry", "robustness", "detection", "map"}
    page = tmp_path / "demo" / "report.html"
    assert printed.out.splitlines()[-1].endswith(str(page))
    assert "digits:8,9" in page.read_text()
    assert "test (false alarms)" in printed.out
    stamps = [(tmp_path / "demo" / head / "model.json").stat().st_mtime_ns for head in recipe.HEADS]
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    assert [(tmp_path / "demo" / head / "model.json").stat().st_mtime_ns for head in recipe.HEADS] == stamps
    assert capsys.readouterr().out == printed.out  # the same numbers again


def test_examples_are_called_what_they_are(quick: None, tmp_path: Path) -> None:
    result = recipe.demo(tmp_path)
    unknown = load(recipe.UNKNOWN, "test")
    names = [example.truth for example in result.examples]
    known = load(recipe.KNOWN, "test")
    assert names == [
        f"the digit {known.class_names[int(known.labels[0])]}",
        f"the digit {unknown.class_names[int(unknown.labels[0])]}",
        "noise",
    ]
    assert all(example.prediction.accepted is not None for example in result.examples)


def test_other_settings_do_not_mix(quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe.demo(tmp_path)
    capsys.readouterr()
    assert main(["demo", "--out", str(tmp_path), "--seed", "1"]) == 2
    assert "seed was 0, now 1" in capsys.readouterr().err
    assert read_config(tmp_path / "gm").seed == 0


def test_the_settings_of_the_demo() -> None:
    values = recipe.settings("gm", 3).to_json()
    assert (values["data"]["name"], values["data"]["holdout"], values["seed"]) == ("digits:0-7", 0.2, 3)
    assert json.loads(json.dumps(values)) == values
