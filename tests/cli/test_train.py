import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drumlin.results import read
from drumlin.tasks.base import stored_arrays
from drumlin.training import Run, read_config

QUICK = ("--data", "digits:0,1", "--backbone.width", 8, "--epochs", 1, "--quiet", "--no-report")


def config(run: Path) -> dict[str, Any]:
    return json.loads((run / "config.json").read_text())


@pytest.mark.slow
def test_flags_of_head_backbone_and_training_reach_the_configuration(
    drumlin: Callable[..., Any], tmp_path: Path
) -> None:
    words = (*QUICK, "--head", "lgm", "--head.margin", 0.1, "--optimizer.name", "AdamW", "--optimizer.options", "eps")
    words += (1e-6, "--schedule.name", "step", "--schedule.milestones", 0.3, 0.6, "--seed", 4, "--holdout", 0.2)
    words += ("--augment.shift", 0, "--grad-clip", 5, "--class-weights", "balanced")
    outcome = drumlin("train", *words, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert (outcome.out, outcome.err) == ("", "")
    values = config(tmp_path / "run")
    assert (values["head"]["name"], values["head"]["margin"]) == ("lgm", 0.1)
    assert values["backbone"]["width"] == 8
    assert values["training"]["optimizer"] == {
        "name": "AdamW",
        "lr": 0.05,  # the data set's own default
        "weight_decay": 5e-4,
        "options": {"eps": 1e-6},
    }
    assert values["training"]["schedule"]["milestones"] == [0.3, 0.6]
    assert (values["training"]["grad_clip"], values["training"]["class_weights"]) == (5, "balanced")
    assert (values["seed"], values["data"]["holdout"], values["data"]["augment"]["shift"]) == (4, 0.2, 0)
    assert values["data"]["name"] == "digits:0,1"


@pytest.mark.slow
def test_an_equals_sign_or_none(drumlin: Callable[..., Any], tmp_path: Path) -> None:
    for name, words in (("a", ("--head", "softmax")), ("b", ("--head=softmax",))):
        assert drumlin("train", *QUICK, *words, f"--out={tmp_path / name}").code == 0
    a, b = (Run(tmp_path / name) for name in "ab")
    assert config(a.folder) == config(b.folder)
    assert a.classifier.head.num_classes == 2
    assert a.identity == b.identity


@pytest.mark.slow
def test_progress_is_plain_and_on_standard_error(drumlin: Callable[..., Any], tmp_path: Path) -> None:
    words = [word for word in QUICK if word != "--quiet"]  # without a page: a line less
    outcome = drumlin("train", *words, "--out", tmp_path / "run")
    first, last = outcome.err.splitlines()
    assert first.startswith("epoch 1/1  classification ")
    assert last.startswith(f"trained: {tmp_path / 'run'}    next: drumlin evaluate {tmp_path / 'run'}; ")
    assert outcome.out == ""
    assert "\x1b" not in outcome.err


@pytest.mark.slow
def test_resume_with_the_same_words_or_without_any(
    drumlin: Callable[..., Any], refused: Callable[..., str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert drumlin("train", *QUICK, "--head", "softmax", "--out", run, "--resume").code == 0  # nothing there: begins
    weights = (run / "model.safetensors").read_bytes()
    for words in ((*QUICK, "--head", "softmax"), ("--no-report",), ("--quiet", "--no-report", "--data_root", tmp_path)):
        (run / "model.json").unlink()
        assert drumlin("train", *words, "--out", run, "--resume").code == 0
        assert (run / "model.safetensors").read_bytes() == weights
    assert "holds a run already" in refused("train", *QUICK, "--head", "softmax", "--out", run)
    message = refused("train", *QUICK, "--head", "softmax", "--epochs", 2, "--out", run, "--resume")
    assert "training.epochs was 1, now 2" in message
    assert read_config(run).training.epochs == 1


def test_nothing_to_resume(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "is not a run (no config.json)" in refused("train", "--out", tmp_path, "--resume")


@pytest.mark.slow
def test_a_diverging_training_is_one_line_with_advice(refused: Callable[..., str], tmp_path: Path) -> None:
    message = refused("train", *QUICK, "--optimizer.lr", 1e12, "--schedule.name", "constant", "--out", tmp_path / "run")
    assert message.startswith("the loss is ")
    for part in (
        "at step ",
        "of epoch 1 (term: ",
        "try a lower --optimizer.lr",
        "--grad-clip 1",
        "--precision float32",
    ):
        assert part in message
    for head, warms_up in (("gm", True), ("softmax", False)):  # softmax has no such flag
        words = (*QUICK, "--head", head, "--optimizer.lr", 1e12, "--schedule.name", "constant")
        message = refused("train", *words, "--out", tmp_path / head)
        assert ("--head.warmup-steps" in message) is warms_up


@pytest.mark.slow
def test_a_trained_run_is_measured_and_has_its_page(drumlin: Callable[..., Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = [word for word in QUICK if word not in ("--quiet", "--no-report")]
    outcome = drumlin("train", *words, "--out", run)
    assert outcome.code == 0, outcome.err
    _, trained, page = outcome.err.splitlines()
    assert trained == f"trained: {run}"
    assert page.startswith(f"page: {run / 'report.html'}    next: drumlin calibrate {run} ")
    assert "<html" in (run / "report.html").read_text()[:1000]
    assert {record.task for record in read(run / "results.jsonl")} == {"classification", "geometry"}
    assert "thumbnail/test" in stored_arrays(run, "map")
    (run / "report.html").unlink()
    quiet = drumlin("train", "--out", run, "--resume", "--quiet")  # finished already: its page alone
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert (run / "report.html").is_file()


@pytest.mark.slow
def test_curves_of_features_are_asked_for_change_nothing_and_stand_on_the_page(
    drumlin: Callable[..., Any], tmp_path: Path
) -> None:
    words = ["--quiet", "--epochs", "2", "--backbone.width", "8", "--data", "digits"]
    assert drumlin("train", "--out", tmp_path / "plain", *words, "--no-report").code == 0
    assert drumlin("train", "--out", tmp_path / "curves", *words, "--curves").code == 0
    plain, probed = (
        [json.loads(line) for line in (tmp_path / name / "training.jsonl").read_text().splitlines()]
        for name in ("plain", "curves")
    )
    assert [line["holdout_error"] for line in plain] == [line["holdout_error"] for line in probed]
    assert all("probe" not in line for line in plain)
    assert all(line["probe"].keys() == {"neighbour_error", "center_loss"} for line in probed)
    assert all("within" not in line for line in probed)
    assert drumlin("train", "--out", tmp_path / "close", *words, "--curves-every", "5").code == 0
    lines = [json.loads(line) for line in (tmp_path / "close" / "training.jsonl").read_text().splitlines()]
    assert [{**line["probe"]} for line in lines] == [{**line["probe"]} for line in probed]
    for line in lines:
        assert [moment["steps"] for moment in line["within"]] == [
            step
            for step in range(5, 1000, 5)
            if line["steps"] * (line["epoch"] - 1) / line["epoch"] < step < line["steps"]
        ]
        assert all(moment["probe"].keys() == line["probe"].keys() for moment in line["within"])
    refused = drumlin("train", "--out", tmp_path / "none", *words, "--curves-every", "0")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "must be 1 or more, not 0" in refused.err
    page = (tmp_path / "curves" / "report.html").read_text()
    assert "Center loss" in page
    assert "by 5 nearest neighbours" in page


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no\n room"), "no room"),
        (OSError("disk full"), "disk full"),
        (KeyError("gone"), "KeyError: 'gone'"),
        (ImportError("this needs plotly"), "this needs plotly"),
    ],
)
def test_a_page_that_fails_takes_nothing_from_the_training(
    drumlin: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        assert (tmp_path / "run" / "model.json").is_file()
        raise error

    monkeypatch.setattr("drumlin.report.write_report", fails)
    outcome = drumlin("train", *(word for word in QUICK if word != "--no-report"), "--out", tmp_path / "run")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == f"warning: {tmp_path / 'run'} is trained, but its page could not be made: {told}\n"
    assert Run(tmp_path / "run").finished


@pytest.mark.slow
def test_without_test_images_there_is_a_page_of_the_training(
    drumlin: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Run) -> None:
        raise ValueError("data 'digits:0,1' has no test split")

    monkeypatch.setattr(Run, "test_images", gone)
    run = tmp_path / "run"
    outcome = drumlin("train", *(word for word in QUICK if word != "--no-report"), "--out", run)
    expected = f"warning: {run} is trained, but not measured on test images: data 'digits:0,1' has no test split\n"
    assert (outcome.code, outcome.err) == (0, expected)
    assert (run / "report.html").is_file()
    assert not (run / "results.jsonl").exists()
    assert "thumbnail/training" in stored_arrays(run, "map")


@pytest.mark.slow
def test_only_the_first_of_several_processes_writes_the_page(
    drumlin: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drumlin("train", *QUICK, "--out", tmp_path / "run").code == 0
    monkeypatch.setenv("RANK", "1")
    assert drumlin("train", "--out", tmp_path / "run", "--resume").code == 0
    assert not (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ["Missing from drumlin train: --out"]),
        (["--out"], ["Missing value for argument '--out'"]),
        (["--head", "sofmax"], ["unknown head 'sofmax': did you mean 'softmax'"]),
        (["--head"], ["--head needs a value"]),
        (["--backbone", "resnet20"], ["unknown backbone 'resnet20': did you mean 'resnet-20'"]),
        (["--data", "mnis"], ["unknown data set 'mnis': did you mean 'mnist'"]),
        (["--data", "folder:nope"], ["folder nope does not exist"]),
        (
            ["--head", "softmax", "--head.margin", "1"],
            ["--head.margin: drumlin train has no such argument with --head softmax"],
        ),
        (["--nosuch"], ["--nosuch: drumlin train has no such argument with --head gm --backbone digits-cnn"]),
        (["--nosuch", "--head", "lgm"], ["--nosuch: drumlin train has no such argument with --head lgm"]),
        (["--lr", "1"], ["did you mean '--optimizer.lr'?"]),
        (["extra"], ["extra: drumlin train has no such argument"]),
        (["--epochs", "many"], ["--epochs", "'many'"]),
        (["--epochs", "0"], ["epochs must be at least 1, got 0"]),
        (["--batch-size", "0"], ["batch_size must be at least 1, got 0"]),
        (["--seed", "-1"], ["seed must lie in 0..2^32-1, got -1"]),
        (["--holdout", "1.5"], ["holdout is 1.5"]),
        (["--schedule.warmup", "2"], ["schedule.warmup must lie in [0, 1), got 2.0"]),
        (["--schedule.name", "cosin"], ["invalid choice 'cosin'", "--schedule.name", "cosine"]),
        (["--backbone.dropout", "2"], ["dropout must be in [0, 1), not 2.0"]),
        (["--optimizer.name", "SGDD"], ["unknown optimizer 'SGDD': did you mean 'SGD'"]),
        (
            ["--optimizer.options", "momentun", "0.5"],
            ["unknown option of optimizer SGD 'momentun': did you mean 'momentum'"],
        ),
        (["--precision", "float16"], ["invalid choice 'float16' for argument '--precision'"]),
        (["--device", "nosuch"], ["device 'nosuch' cannot be used"]),
        (["--head.likelihood-weight", "0.5"], ["likelihood_weight must be below 0.5", "collapse"]),
        (["--backbone", "timm:nosuch", "--image-size", "32"], ["nosuch"]),
    ],
)
def test_what_a_user_can_get_wrong(
    refused: Callable[..., str], tmp_path: Path, words: list[str], parts: list[str]
) -> None:
    out = [] if words in ([], ["--out"]) else ["--out", str(tmp_path / "run")]
    message = refused("train", *out, *words)
    assert all(part in message for part in parts), message
    assert not (tmp_path / "run").exists()


def test_a_file_in_the_way(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    assert "run cannot be written" in refused("train", *QUICK, "--out", tmp_path / "run")
    assert "cannot be written" in refused("train", *QUICK, "--out", tmp_path / "run" / "below")
