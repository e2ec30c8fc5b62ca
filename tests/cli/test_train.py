import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drumlin.training import Run, read_config

QUICK = ("--data", "digits:0,1", "--backbone.width", 8, "--epochs", 1, "--quiet")


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
    words = [word for word in QUICK if word != "--quiet"]
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
    for words in ((*QUICK, "--head", "softmax"), (), ("--quiet", "--data_root", tmp_path)):
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


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ["Missing from drumlin train: --out"]),
        (["--out"], ["Missing value for argument '--out'"]),
        (["--head", "sofmax"], ["unknown head 'sofmax': did you mean 'softmax'?"]),
        (["--head"], ["--head needs a value"]),
        (["--backbone", "resnet20"], ["unknown backbone 'resnet20': did you mean 'resnet-20'"]),
        (["--data", "mnis"], ["unknown data set 'mnis': did you mean 'mnist'"]),
        (["--data", "folder:nope"], ["folder nope does not exist"]),
        (
            ["--head", "softmax", "--head.margin", "1"],
            ["--head.margin: drumlin train has no such argument with --head softmax"],
        ),
        (["--nosuch"], ["--nosuch: drumlin train has no such argument with --head gm --backbone digits-cnn"]),
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
