import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drumlin._tensors import read_tensors
from drumlin.results import read, select

pytestmark = pytest.mark.slow
Copy = Callable[[str], Path]
Drumlin = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def pairs(digit_files: Path, tmp_path: Path) -> Path:
    """Pairs of the six digits, in two folds."""
    names = [f"{file.parent.name}/{file.name}" for file in sorted(digit_files.glob("*/*.png"))]
    listed = [(0, 1, 1), (0, 2, 0), (3, 4, 1), (3, 5, 0), (1, 2, 1), (4, 5, 0), (0, 4, 1), (1, 5, 0)]
    lines = [f"{names[a]} {names[b]} {same} {row // 4}" for row, (a, b, same) in enumerate(listed)]
    file = tmp_path / "pairs.txt"
    file.write_text("\n".join(lines))
    return file


@pytest.fixture
def folder_run(small: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """Train on so many zeros and as many ones, in a folder whose test images are twenty of each digit that is named."""
    from PIL import Image

    from drumlin.data import load
    from drumlin.training import train

    def make(each: int, tested: tuple[int, ...]) -> Path:
        images = load("digits:0,1", "train")
        parts = [("train", digit, slice(0, each)) for digit in (0, 1)]
        for split, digit, part in [*parts, *(("test", digit, slice(20, 40)) for digit in tested)]:
            folder = tmp_path / "data" / split / str(digit)
            folder.mkdir(parents=True)
            for i, pixels in enumerate(images.pixels[images.labels == digit][part, 0].numpy()):
                Image.fromarray(pixels).save(folder / f"{i}.png")
        train(small("softmax", f"folder:{tmp_path / 'data'}", holdout=0.0), tmp_path / "run")
        return tmp_path / "run"

    return make


def test_neighbours_and_clusters(drumlin: Drumlin, copied: Copy) -> None:
    run = copied("gm")
    outcome = drumlin("evaluate", run, "--neighbours", "--clusters")
    assert outcome.code == 0, outcome.err
    records = read(run / "results.jsonl")
    assert {r.task for r in records} == {"classification", "geometry", "neighbours", "clusters"}
    (record,) = select(records, task="neighbours", protocol="k=5, features as they are")
    line = next(line for line in outcome.out.splitlines() if "k=5, features as they are" in line)
    assert f"{100 * record.value:.2f}%" in line
    assert f"{100 * record.ci_low:.2f}% to {100 * record.ci_high:.2f}%" in line
    (record,) = select(records, task="clusters", protocol="ward, geometric mean")
    line = next(line for line in outcome.out.splitlines() if "ward, geometric mean" in line)
    assert line.split()[-2:] == [f"{record.value:.4f}", str(record.n)]
    assert (run / "arrays" / "clusters.safetensors").is_file()


def test_numbers_of_neighbours(drumlin: Drumlin, refused: Refused, copied: Copy) -> None:
    run = copied("softmax")
    outcome = drumlin("evaluate", run, "--neighbours", "--ks", 3, 20)
    assert outcome.code == 0, outcome.err
    assert [r.protocol for r in select(read(run / "results.jsonl"), task="neighbours")] == [
        f"k={k}, features {name}" for name in ("as they are", "L2-normalised") for k in (3, 20)
    ]
    assert "ask for that with --neighbours" in refused("evaluate", run, "--ks", 3)
    assert "each at least 1, got [0]" in refused("evaluate", run, "--neighbours", "--ks", 0)
    assert "got 100000" in refused("evaluate", run, "--neighbours", "--ks", 100_000)


def test_more_neighbours_than_training_images(drumlin: Drumlin, folder_run: Callable[..., Path]) -> None:
    run = folder_run(4, tested=(0, 1))
    outcome = drumlin("evaluate", run, "--neighbours")
    assert outcome.code == 0, outcome.err
    assert outcome.err == "drumlin: warning: 10 neighbours are not measured: 8 images were trained on\n"
    found = select(read(run / "results.jsonl"), task="neighbours")
    assert {r.protocol.partition(",")[0] for r in found} == {"k=1", "k=5"}


def test_windows(drumlin: Drumlin, refused: Refused, copied: Copy) -> None:
    run = copied("gm")
    outcome = drumlin("evaluate", run, "--crops", 10, "--margin", 2)
    assert outcome.code == 0, outcome.err
    (record,) = select(read(run / "results.jsonl"), task="classification", metric="error", protocol="10-crop of 10x10")
    line = next(
        line for line in outcome.out.splitlines() if line.split()[1:2] == ["error"] and "10-crop of 10x10" in line
    )
    assert f"{100 * record.value:.2f}%" in line
    assert "margin" in refused("evaluate", run, "--crops", 10)


def test_pairs(drumlin: Drumlin, copied: Copy, pairs: Path, digit_files: Path) -> None:
    run = copied("softmax")
    words = ("evaluate", run, "--pairs", pairs, "--pair-images", digit_files)
    outcome = drumlin(*words, "--pca", 4)
    assert outcome.code == 0, outcome.err
    found = select(read(run / "results.jsonl"), task="verification", metric="accuracy")
    name = "/".join(pairs.parts[-2:])
    scores = ("l2", "cosine", "mahalanobis")
    assert [r.protocol for r in found] == [f"{name}, {score}, PCA 4, mirrored, 2 folds" for score in scores]
    for record in found:
        line = next(
            line for line in outcome.out.splitlines() if f" {record.protocol} " in line and "-error" not in line
        )
        assert f"{100 * record.value:.2f}%" in line
        assert line.split()[-1] == "8"  # pairs
    assert outcome.out.splitlines()[0].split()[-1] == "n"
    assert " –  " in next(
        line for line in outcome.out.splitlines() if "tpr@fpr=0.01" in line
    )  # of four different pairs
    outcome = drumlin(*words, "--pca", "None", "--threshold-pairs", pairs)
    assert outcome.code == 0, outcome.err
    assert f"no PCA, mirrored, threshold from {name}" in outcome.out
    outcome = drumlin(*words, "--pca", 4, "--no-mirror")
    assert outcome.code == 0, outcome.err
    assert f"{name}, cosine, PCA 4, 2 folds" in outcome.out
    arrays, _ = read_tensors(run / "arrays" / "verification.safetensors")
    distances = [arrays[f"{name}, l2, PCA 4{how}/distance"] for how in ("", ", mirrored")]
    assert not distances[0].equal(distances[1])


def test_test_images_of_one_class(
    drumlin: Drumlin, folder_run: Callable[..., Path], pairs: Path, digit_files: Path
) -> None:
    """Pairs are told all the same, and everything else that one class has."""
    run = folder_run(20, tested=(1,))
    outcome = drumlin("evaluate", run, "--pairs", pairs, "--pair-images", digit_files, "--pca", 4)
    assert outcome.code == 0, outcome.err
    assert outcome.err.startswith("drumlin: warning: the test images are of one class: ")
    assert {r.task for r in read(run / "results.jsonl")} == {"classification", "geometry", "verification"}
    assert next(line for line in outcome.out.splitlines() if "inter-class-distance" in line).split()[2] == "–"
    # the clusters of one class are refused, and take nothing from what came before
    (run / "results.jsonl").unlink()
    outcome = drumlin("evaluate", run, "--clusters")
    assert outcome.code == 2
    assert "test images are of one class: clusters" in outcome.err.splitlines()[-1]
    assert "intra-class-spread" in outcome.out
    assert {r.task for r in read(run / "results.jsonl")} == {"classification", "geometry"}


def test_pairs_of_people_who_were_trained_on(drumlin: Drumlin, folder_run: Callable[..., Path], tmp_path: Path) -> None:
    run = folder_run(20, tested=(0, 1))
    people = tmp_path / "people"
    for digit in ("0", "1"):
        (people / digit).mkdir(parents=True)
        for i in (1, 2):
            shutil.copy(tmp_path / "data" / "test" / digit / f"{i}.png", people / digit / f"{digit}_{i:04d}.png")
    (people / "pairs.txt").write_text("1\n0\t1\t2\n0\t1\t1\t2\n")
    outcome = drumlin("evaluate", run, "--pairs", people / "pairs.txt", "--pair-images", people, "--pca", 4)
    assert outcome.code == 0, outcome.err
    assert (
        "drumlin: warning: 2 of the 2 people in people/pairs.txt are classes that the run was trained on" in outcome.err
    )


def test_what_a_user_can_get_wrong(refused: Refused, copied: Copy, pairs: Path, digit_files: Path) -> None:
    run = copied("softmax")
    words = ("evaluate", run, "--pairs", pairs, "--pair-images", digit_files)
    message = refused(*words)
    assert "pca must be in 1..16 for" in message
    assert "got 64" in message
    for lonely in (("--pairs", pairs), ("--pair-images", digit_files)):
        assert "belong together" in refused("evaluate", run, *lonely)
    for lonely in (("--threshold-pairs", pairs), ("--pca", 3), ("--no-mirror",)):
        assert "name these with --pairs" in refused("evaluate", run, *lonely)
    pairs.write_text(pairs.read_text().replace("\na/", "\na/no", 1))
    message = refused(*words)
    assert f"{pairs}, line 2: image a/no" in message
    assert "is not in" in message
    assert "nosuch cannot be read" in refused("evaluate", run, "--pairs", "nosuch", "--pair-images", digit_files)
    assert not (run / "results.jsonl").exists()


@pytest.mark.parametrize("words", [("evaluate",), ("detect", "--ood", "noise"), ("attack",), ("calibrate",)])
def test_damaged_records_are_told_before_anything_is_measured(
    refused: Refused, copied: Copy, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    from drumlin.tasks import Subject

    run = copied("softmax")
    (run / "results.jsonl").write_text('{"schema": 1, "ru\n{}\n')
    monkeypatch.setattr(Subject, "features", lambda *arguments: pytest.fail("measures"))
    message = refused(words[0], run, *words[1:])
    assert message.startswith(f"{run / 'results.jsonl'}:1: not JSON")
    assert "delete that line, or the file" in message


def test_a_record_without_a_number_is_shown(digits_runs: Callable[[str], Path]) -> None:
    from drumlin.cli.evaluate import _lines
    from drumlin.tasks import Subject
    from drumlin.training import Run

    made = Subject(Run(digits_runs("softmax")))
    facts = {"split": "test", "protocol": "p", "n": 5}
    shown = _lines(
        [made.record("t", name, None, unit=unit, **facts) for name, unit in (("a", "fraction"), ("b", "ratio"))]
    )
    assert [line.split() for line in shown.splitlines()[1:]] == [["t", name, "p", "–", "5"] for name in "ab"]


def test_help_says_what_there_is(drumlin: Drumlin) -> None:
    shown = drumlin("evaluate", "--help").out
    for flag in (
        "--neighbours",
        "--clusters",
        "--pairs",
        "--pair-images",
        "--threshold-pairs",
        "--pca",
        "--ks",
        "--mirror",
    ):
        assert flag in shown
