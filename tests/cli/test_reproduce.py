import dataclasses
import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from drumlin.cli.reproduce import _settings
from drumlin.recipes import RECIPES, recipe
from drumlin.recipes.choices import choices
from drumlin.recipes.classification import mnist_heads
from drumlin.recipes.experiment import Experiment
from drumlin.results import read


def test_without_a_recipe(drumlin, refused):
    assert refused("reproduce") == f"no recipe: name one of {', '.join(RECIPES)}, or see them with --list"
    listed = drumlin("reproduce", "--list")
    assert listed.code == 0
    assert all(name in listed.out for name in RECIPES)
    assert "MNIST with every head" in listed.out


def test_an_unknown_recipe(refused):
    message = refused("reproduce", "mnist-haeds")
    assert message.startswith("unknown recipe 'mnist-haeds': did you mean 'mnist-heads'")
    assert message.endswith(f"(known: {', '.join(sorted(RECIPES))})")


def test_figures_of_a_recipe_without_any(refused, tmp_path):
    message = refused("reproduce", "mnist-heads", "--list", "--figures", tmp_path)
    assert message == "recipe mnist-heads draws no figures: leave --figures out"


def test_what_is_left_of_one(drumlin, tmp_path):
    listed = drumlin("reproduce", "mnist-heads", "--list", "--out", tmp_path)
    assert listed.code == 0
    line = next(line for line in listed.out.splitlines() if line.startswith("lgm, 100-D"))
    assert line.split("  ")[-1].strip() == "0.39% (L Table 1)"
    assert "0/3" in line
    assert listed.out.endswith("\n\n242 trainings left\n"), (
        "four of them each for 37 rows, two more seeds, and twenty on L's network"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_one(drumlin, refused, tmp_path):
    listed = drumlin("reproduce", "mnist-heads", "--list", "--out", tmp_path, "--only", "L's network")
    assert listed.code == 0
    assert listed.out.endswith("\n\n20 trainings left\n")
    assert len([line for line in listed.out.splitlines() if "0/1" in line]) == 20
    message = refused("reproduce", "mnist-heads", "--list", "--out", tmp_path, "--only", "gm, 100D")
    assert message.startswith("unknown row 'gm, 100D': did you mean 'gm, 100-D'")
    message = refused("reproduce", "mnist-maps", "--list", "--only", "gm", "--figures", tmp_path)
    assert message == "figures are drawn of a whole recipe: leave --only out, or --figures"


def test_a_setting_at_an_end_of_those_tried_is_marked():
    variant = recipe("cifar10-heads", "cpu").variants[0]
    assert [_settings(variant, name) for name in variant.candidates] == [
        "lr=0.25 (smallest tried)",
        "lr=0.5",
        "lr=1",
        "lr=2 (largest tried)",
    ]
    assert _settings(variant, None) == "–"
    longer = recipe("cifar10-heads", "cpu").variants[-1]
    assert _settings(longer, "lr=1") == "lr=1", "nothing was chosen"


def test_at_paper_scale_it_says_what_the_papers_leave_open(drumlin, tmp_path):
    listed = drumlin("reproduce", "mnist-fgsm", "--scale", "paper", "--list", "--out", tmp_path)
    assert "\nWhat the papers leave open, or is not as they have it:\n- " in listed.out
    assert all(f"\n- {sentence}\n" in listed.out for sentence in choices(recipe("mnist-fgsm", "paper")))
    assert "leave open" not in drumlin("reproduce", "mnist-fgsm", "--list", "--out", tmp_path).out
    assert "leave open" not in drumlin("reproduce", "margins", "--scale", "paper", "--list", "--out", tmp_path).out


@pytest.fixture
def two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smoke experiment's first two rows, a seed each."""
    whole = mnist_heads.experiment("smoke")

    def experiment(scale: str) -> Experiment:
        rows = [dataclasses.replace(variant, seeds=(0,)) for variant in whole.variants[:2]]
        return dataclasses.replace(whole, variants=tuple(rows))

    monkeypatch.setattr(mnist_heads, "experiment", experiment)


@pytest.mark.slow
def test_a_recipe_is_run_and_what_is_recorded_is_not_run_again(
    two_rows: None, drumlin: Callable[..., object], tmp_path: Path
):
    words = ("reproduce", "mnist-heads", "--scale", "smoke", "--out", tmp_path / "runs", "--quiet")
    first = drumlin(*words)
    assert first.code == 0
    assert "softmax, 2-D, lr=0.01, seed 0, to choose settings    4 trainings left" in first.err
    assert "to measure    1 trainings left, about 1 min of training" in first.err
    records = read(tmp_path / "runs" / "results.jsonl")
    error = next(r.value for r in records if r.metric == "error")
    line = next(line for line in first.out.splitlines() if line.startswith("softmax, 2-D"))
    assert f"{error:.2%}" in line
    assert "1/1" in line
    for path in (tmp_path / "runs").iterdir():
        if path.is_dir():
            path.rename(tmp_path / path.name)
    again = drumlin(*words)
    assert again.err == ""
    assert again.out == first.out
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["results.jsonl"]


def test_ctrl_c_says_how_to_go_on(drumlin: Callable[..., object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def interrupted(*given: object, **named: object):
        raise KeyboardInterrupt

    monkeypatch.setattr("drumlin.recipes.experiment.perform", interrupted)
    outcome = drumlin("reproduce", "mnist-heads", "--scale", "smoke", "--out", tmp_path)
    assert outcome.code == 130
    assert outcome.err.splitlines()[-1] == "drumlin: interrupted: go on with the same command"


def test_records_in_a_folder_are_refused_before_any_training(refused, tmp_path):
    words = ("reproduce", "mnist-heads", "--scale", "smoke", "--out", tmp_path / "out", "--results", tmp_path)
    assert "are a folder: give the name of a file, such as" in refused(*words)
    assert not (tmp_path / "out").exists()


def test_records_that_cannot_be_written_are_found_before_any_training(refused, tmp_path):
    (tmp_path / "file").write_text("")
    words = ("reproduce", "mnist-heads", "--scale", "smoke", "--out", tmp_path / "out")
    assert "file" in refused(*words, "--results", tmp_path / "file" / "r.jsonl")
    assert not (tmp_path / "out").exists()


def test_data_that_is_not_there_leaves_no_file_of_records_behind(drumlin, tmp_path, monkeypatch):
    monkeypatch.setenv("DRUMLIN_DATA", str(tmp_path / "none"))
    outcome = drumlin("reproduce", "mnist-heads", "--out", tmp_path / "out")
    assert outcome.code == 2
    assert "--download" in outcome.err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_found_before_any_training(refused, tmp_path, monkeypatch):
    def denied(**_: object) -> None:  # root may write everywhere
        raise PermissionError(errno.EACCES, "Permission denied", "/some/.drumlin-file")

    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    told = refused("reproduce", "mnist-heads", "--scale", "smoke", "--out", tmp_path / "out")
    assert told.startswith(f"the records {tmp_path / 'out' / 'results.jsonl'} cannot be written (Permission denied)")


def test_a_link_that_leads_nowhere_is_found_before_any_training(refused, tmp_path):
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "none" / "file.jsonl")
    words = ("reproduce", "mnist-heads", "--scale", "smoke", "--out", tmp_path / "out")
    assert "link.jsonl" in refused(*words, "--results", tmp_path / "link.jsonl")
    assert not (tmp_path / "out").exists()


def test_a_file_of_tunings_that_is_not_there(refused, tmp_path):
    words = (
        "reproduce",
        "mnist-heads",
        "--scale",
        "smoke",
        "--out",
        tmp_path / "out",
        "--tuned",
        tmp_path / "none.jsonl",
    )
    assert (
        refused(*words)
        == f"there is no file of records {tmp_path / 'none.jsonl'}: name one that `drumlin reproduce` wrote"
    )


@pytest.mark.slow
def test_what_was_tuned_elsewhere_is_not_tuned_again(drumlin: Callable[..., object], tmp_path: Path, monkeypatch):
    whole = mnist_heads.experiment("smoke")
    row = dataclasses.replace(whole.variants[0], seeds=(0,))
    monkeypatch.setattr(mnist_heads, "experiment", lambda scale: dataclasses.replace(whole, variants=(row,)))
    words = ("reproduce", "mnist-heads", "--scale", "smoke", "--quiet", "--out")
    first = drumlin(*words, tmp_path / "first")
    assert first.err.count("to choose settings") == 2
    again = drumlin(*words, tmp_path / "again", "--tuned", tmp_path / "first" / "results.jsonl")
    assert again.err.startswith("2 settings were tuned elsewhere\n")
    assert "to choose settings" not in again.err
    assert again.out == first.out
