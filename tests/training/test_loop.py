import dataclasses
import errno
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from drumlin import _io
from drumlin._history import moments
from drumlin._tensors import read_tensors, write_tensors
from drumlin.data import train_batches
from drumlin.model import Classifier
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.data import AugmentSettings
from drumlin.settings.heads import HeadSettings
from drumlin.settings.run import LookaheadSettings, RunSettings
from drumlin.training import Run, TrainingError, read_config, train
from drumlin.training.claims import claim
from drumlin.training.creation import balanced_weights
from drumlin.training.distributed import Processes
from drumlin.training.progress import Silent
from drumlin.training.runs import Split

Small = Callable[..., RunSettings]


@pytest.fixture(scope="module")
def finished(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs; to be copied before it is changed."""
    out = tmp_path_factory.mktemp("loop") / "run"
    train(small(), out)
    return out


@pytest.fixture
def begun(finished: Path, tmp_path: Path) -> Path:
    """A run that was killed after its last checkpoint."""
    out = Path(shutil.copytree(finished, tmp_path / "begun"))
    (out / "model.json").unlink()
    (out / "model.safetensors").unlink()
    return out


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "training.jsonl").read_text().splitlines()]


def content(run: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(run.rglob("*")) if p.is_file()}


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_seed_decides_the_weights_and_nothing_else_does(small: Small, tmp_path: Path) -> None:
    settings = small(backbone={"dropout": 0.3}, epochs=1)
    torch.manual_seed(1)
    train(settings, tmp_path / "a")
    torch.manual_seed(2)
    torch.rand(5)
    train(settings, tmp_path / "b")
    train(dataclasses.replace(settings, seed=1), tmp_path / "c")
    assert equal(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not torch.equal(weights(tmp_path / "a")["head.means"], weights(tmp_path / "c")["head.means"])
    splits = [Run(tmp_path / name).split.holdout for name in "ac"]
    assert not torch.equal(*splits)


MEMORY: Any = torch.utils.deterministic  # a module with a property, which type checkers do not know


def torch_settings() -> tuple[bool, bool, bool]:
    enabled, filling = torch.are_deterministic_algorithms_enabled(), MEMORY.fill_uninitialized_memory
    return enabled, torch.backends.cudnn.benchmark, filling


def test_training_leaves_torch_as_it_was(small: Small, tmp_path: Path) -> None:
    before = torch_settings()
    train(small(epochs=1), tmp_path / "run")
    assert torch_settings() == before


def test_no_step_reads_memory_that_nobody_wrote(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training does not have new tensors filled with NaN; with it the weights would be the same."""
    settings = small(epochs=1)
    train(settings, tmp_path / "plain")
    seen = []
    step = torch.optim.SGD.step

    def filled_from_now_on(self: torch.optim.SGD, *args: object) -> object:
        seen.append(MEMORY.fill_uninitialized_memory)
        MEMORY.fill_uninitialized_memory = True
        return step(self, *args)

    monkeypatch.setattr(torch.optim.SGD, "step", filled_from_now_on)
    train(settings, tmp_path / "filled")
    assert seen[0] is False
    assert all(seen[1:])
    assert equal(weights(tmp_path / "plain"), weights(tmp_path / "filled"))


def test_the_log_says_what_happened(finished: Path) -> None:
    records = log(finished)
    split = Run(finished).split
    steps = len(split.train) // 32
    assert [record["epoch"] for record in records] == [1, 2]
    assert [record["steps"] for record in records] == [steps, 2 * steps]
    for record in records:
        assert record["terms"].keys() == {"classification", "likelihood"}
        assert record["loss"] == pytest.approx(sum(record["terms"].values()))
        assert 0 <= record["train_error"] <= 1
    # one-cycle: the rate of the very last step is read half a step before its end, where it is 0
    assert records[-1]["lr"] == pytest.approx(0.05 * (0.5 / (2 * steps)) / 0.8)
    run = Run(finished)
    x, y = next(run.holdout_images().batches(1000))
    with torch.no_grad():
        error = float((run.classifier(x).argmax(1) != y).float().mean())
    assert records[-1]["holdout_error"] == pytest.approx(error)


def test_a_folder_is_trained_in_by_one_process_at_a_time(small: Small, finished: Path, tmp_path: Path) -> None:
    settings, out, refused = small(), tmp_path / "run", []

    class Second(Silent):
        def epoch(self, record: Mapping[str, Any]) -> None:
            with pytest.raises(ValueError, match=r"another process is training in .*run: wait for it, or give another"):
                train(settings, out, resume=True)
            refused.append(record["epoch"])

    train(settings, out, reporter=Second())
    assert refused == [1, 2]
    assert equal(weights(out), weights(finished))
    (out / "model.json").unlink()
    train(settings, out, resume=True)  # the lock went with its owner
    assert (out / ".lock").read_bytes() == b""


def test_what_came_into_a_folder_while_a_training_was_prepared(small: Small, tmp_path: Path) -> None:
    split = Split(torch.arange(3), torch.arange(0), "same")
    with claim(tmp_path, small(), split, resume=False, processes=1):
        pass
    with (
        pytest.raises(
            ValueError, match="begun with other settings, so it cannot be resumed with these: seed was 0, now 1"
        ),
        claim(tmp_path, small(seed=1), split, resume=True, processes=1),
    ):
        pytest.fail("it trains in the folder of another run")


def test_a_file_system_without_locks_is_trained_on_all_the_same(
    small: Small, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(_io.fcntl, "flock", refuse)
    train(small(), tmp_path / "run")
    assert equal(weights(tmp_path / "run"), weights(finished))


def test_the_holdout_is_apart_and_stratified(finished: Path) -> None:
    run = Run(finished)
    keep, hold = run.split.train, run.split.holdout
    everything = torch.cat([keep, hold]).sort().values
    assert torch.equal(everything, torch.arange(len(everything)))
    assert len(hold) == round(0.1 * len(everything))
    counts = torch.bincount(run.holdout_images().labels).double() / torch.bincount(run.train_images().labels)
    assert torch.allclose(counts, torch.full((2,), 1 / 9, dtype=torch.float64), atol=0.01)
    assert len(run.train_images()) == len(keep)


def test_the_environment_is_recorded(finished: Path) -> None:
    values = json.loads((finished / "environment.json").read_text())
    assert values["versions"]["torch"] == torch.__version__
    assert (values["seed"], values["processes"]) == (0, 1)
    assert {"python", "platform", "processor", "threads", "accelerator", "commit", "command"} <= values.keys()


def test_the_default_warm_up_is_a_quarter_of_the_steps(small: Small, finished: Path, tmp_path: Path) -> None:
    steps = log(finished)[-1]["steps"]
    config = json.loads((finished / "config.json").read_text())
    assert config["head"]["warmup_steps"] == round(steps / 4) > 0
    assert config["data"]["augment"]["shift"] == 1  # the default of the digits, resolved
    train(small(epochs=1, head_fields={"warmup_steps": 3}), tmp_path / "given")
    head: HeadSettings = read_config(tmp_path / "given").head
    assert head.warmup_steps == 3  # type: ignore[attr-defined]


def test_a_run_is_not_overwritten(small: Small, finished: Path) -> None:
    before = content(finished)
    with pytest.raises(ValueError, match=r"holds a run already: give another --out, or go on with --resume"):
        train(small(), finished)
    assert content(finished) == before


def test_resuming_a_finished_run_changes_no_file(small: Small, finished: Path) -> None:
    before = content(finished)
    classifier = train(small(), finished, resume=True)
    assert content(finished) == before
    assert not classifier.training
    assert equal(classifier.state_dict(), weights(finished))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 3}, r"training.epochs was 2, now 3"),
        ({"optimizer": {"lr": 0.06}}, r"training.optimizer.lr was 0.05, now 0.06"),
        ({"head": "softmax"}, r"head.name was 'gm', now 'softmax'"),
        ({"seed": 5}, r"seed was 0, now 5"),
        ({"holdout": 0.2}, r"data.holdout was 0.1, now 0.2"),
    ],
)
def test_resume_refuses_other_settings(small: Small, begun: Path, change: dict[str, Any], message: str) -> None:
    before = content(begun)
    with pytest.raises(ValueError, match=message):
        train(small(**change), begun, resume=True)
    assert content(begun) == before


def test_where_the_data_lies_may_change(small: Small, begun: Path, finished: Path, tmp_path: Path) -> None:
    train(small(data_fields={"root": str(tmp_path)}), begun, resume=True)
    assert equal(weights(begun), weights(finished))


def test_a_flipped_byte_in_the_checkpoint_is_found(small: Small, begun: Path) -> None:
    path = begun / "checkpoint" / "last.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"last\.safetensors is damaged"):
        train(small(), begun, resume=True)
    assert not Run(begun).finished


def test_a_checkpoint_of_another_version_or_run_is_refused(small: Small, begun: Path) -> None:
    path = begun / "checkpoint" / "last.safetensors"
    tensors, about = read_tensors(path)
    write_tensors(path, tensors, about | {"schema": 7})
    with pytest.raises(ValueError, match=r"last\.safetensors is of version 7; this drumlin reads version 1"):
        train(small(), begun, resume=True)
    write_tensors(path, tensors, about | {"settings": "0" * 64})
    with pytest.raises(ValueError, match=r"last\.safetensors was written with other settings"):
        train(small(), begun, resume=True)


def test_resume_refuses_changed_data(small: Small, begun: Path) -> None:
    tensors, about = read_tensors(begun / "split.safetensors")
    write_tensors(begun / "split.safetensors", tensors, about | {"fingerprint": "another"})
    with pytest.raises(ValueError, match=r"was begun on other data: the content of 'digits:0,1' has changed"):
        train(small(), begun, resume=True)


@pytest.mark.parametrize("file", ["model.json", "checkpoint/last.safetensors"])
def test_a_model_without_configuration_is_not_taken_for_this_run(
    small: Small, finished: Path, tmp_path: Path, file: str
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    shutil.copy(finished / file, tmp_path / file)
    for resume in (False, True):
        with pytest.raises(ValueError, match=r"holds a model of unknown settings \(no config.json\)"):
            train(small(), tmp_path, resume=resume)


def test_a_file_in_the_way(small: Small, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ValueError, match=r"--out .*out cannot be written"):
        train(small(), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer": {"name": "SGDD"}}, r"unknown optimizer 'SGDD': did you mean 'SGD'"),
        ({"optimizer": {"options": {"momentun": 0.5}}}, r"unknown option of optimizer SGD 'momentun': .*'momentum'"),
        ({"device": "nosuch"}, r"device 'nosuch' cannot be used"),
        ({"data": "digit"}, r"unknown data set 'digit'"),
        ({"head_fields": {"margin": -1.0}}, r"margin must be a finite number"),
        ({"head_fields": {"likelihood_weight": 0.5}}, r"likelihood_weight must be below 0.5"),
        ({"optimizer": {"name": "SparseAdam"}}, r"unknown optimizer 'SparseAdam'"),
    ],
)
def test_settings_that_do_not_fit_leave_no_run_behind(
    small: Small, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(small(**change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_batch_that_processes_cannot_share_is_refused(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Alone(Processes):
        def wait(self) -> None:
            """The other process is not there."""

    @contextmanager
    def two(device: torch.device) -> Iterator[Processes]:
        yield Alone(rank=0, world=2)

    monkeypatch.setattr("drumlin.training.loop.processes", two)
    with pytest.raises(ValueError, match=r"batch_size is 33, which 2 processes cannot share evenly"):
        train(small(batch_size=33), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run(small: Small, tmp_path: Path) -> None:
    settings = small(optimizer={"lr": 1e12}, schedule={"name": "constant"}, head_fields={"warmup_steps": 0})
    message = r"the loss is (nan|inf) at step \d+ of epoch 1 \(term: .*(classification|likelihood).*--optimizer\.lr"
    with pytest.raises(TrainingError, match=message):
        train(settings, tmp_path / "run")
    assert not Run(tmp_path / "run").finished
    assert not (tmp_path / "run" / "checkpoint" / "last.safetensors").exists()


def test_weights_spoilt_by_the_last_step_are_not_kept(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @torch.no_grad()
    def overflow(self: torch.optim.Optimizer) -> None:
        self.param_groups[0]["params"][0].fill_(torch.inf)

    monkeypatch.setattr(torch.optim.SGD, "step", overflow)
    # a single step: no loss is ever computed of what it makes
    settings = small("softmax", epochs=1, batch_size=1000)
    with pytest.raises(
        TrainingError, match=r"no longer finite after the last step of epoch 1 \(first in .*--grad-clip"
    ):
        train(settings, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint").exists()


def change_of_one_step(small: Small, out: Path, **parts: Any) -> float:
    """Return the norm of what one step of plain gradient descent at rate 1 does to the parameters."""
    plain = {"momentum": 0.0, "nesterov": False}
    states = []
    for name, rate in (("still", 1e-30), ("moved", 1.0)):
        optimizer = {"lr": rate, "weight_decay": 0.0, "options": plain}
        settings = small(
            "softmax", epochs=1, batch_size=1000, optimizer=optimizer, schedule={"name": "constant"}, **parts
        )
        states.append({key: p.detach() for key, p in train(settings, out / name).named_parameters()})
    return float(sum((states[0][name] - states[1][name]).square().sum() for name in states[0]).sqrt())


def test_gradients_are_clipped_by_their_joint_norm(small: Small, tmp_path: Path) -> None:
    free = change_of_one_step(small, tmp_path / "free")
    assert free > 0.01
    clipped = change_of_one_step(small, tmp_path / "clipped", grad_clip=0.01)
    assert clipped == pytest.approx(0.01, rel=1e-3)
    loose = change_of_one_step(small, tmp_path / "loose", grad_clip=10 * free)
    assert loose == pytest.approx(free, rel=1e-4)  # a shorter one is left alone


def test_weights_that_look_ahead_take_part_of_the_way(small: Small, tmp_path: Path) -> None:
    free = change_of_one_step(small, tmp_path / "free")
    half = LookaheadSettings(every=5, decay=0.5**0.2, power=0.0, start=0.0)  # one step, and the epoch's last
    assert change_of_one_step(small, tmp_path / "half", lookahead=half) == pytest.approx(free / 2, rel=1e-4)
    late = dataclasses.replace(half, power=3.0, start=0.3)  # at the end of the training, the share is 1
    assert change_of_one_step(small, tmp_path / "late", lookahead=late) == pytest.approx(free / 2, rel=1e-4)


def test_balanced_weights_by_hand() -> None:
    weights = balanced_weights(torch.tensor([0, 0, 0, 1]), 2)
    assert weights.tolist() == pytest.approx([4 / 6, 2.0])


def test_class_weights_reach_the_loss(small: Small, tmp_path: Path) -> None:
    classifier = train(small("softmax", epochs=1, class_weights="balanced"), tmp_path / "balanced")
    labels = Run(tmp_path / "balanced").train_images().labels
    expected = len(labels) / (2 * torch.bincount(labels).float())
    assert torch.allclose(classifier.head.class_weights, expected)
    assert float(expected[labels].mean()) == pytest.approx(1)
    plain = train(small("softmax", epochs=1), tmp_path / "plain")
    assert plain.head.class_weights is None
    assert not torch.equal(
        plain.head.linear.weight, classifier.head.linear.weight
    )  # digits 0 and 1 are not equally many


def test_precision_is_resolved_and_kept(small: Small, tmp_path: Path) -> None:
    for precision in ("auto", "float32", "bfloat16"):
        train(small(epochs=1, precision=precision), tmp_path / precision)
    configs = {p: json.loads((tmp_path / p / "config.json").read_text()) for p in ("auto", "float32", "bfloat16")}
    assert configs["auto"]["training"]["precision"] in ("float32", "bfloat16")
    narrow, wide = Classifier.load(tmp_path / "bfloat16"), Classifier.load(tmp_path / "float32")
    assert (narrow.precision, wide.precision) == ("bfloat16", "float32")
    assert narrow.features(torch.rand(2, 1, 8, 8)).dtype == torch.float32
    assert all(value.dtype != torch.bfloat16 for value in narrow.state_dict().values())
    assert not equal(narrow.state_dict(), wide.state_dict())


def test_a_frozen_trunk_stays_as_it_is(small: Small, tmp_path: Path) -> None:
    settings = small("softmax", epochs=1, data_fields={"image_size": 32})
    frozen = backbone_settings("torchvision:mobilenet_v3_small", freeze=True, feature_dim=4)
    settings = dataclasses.replace(settings, backbone=frozen)
    states = []
    for rate in (1e-30, 0.05):
        optimizer = dataclasses.replace(settings.training.optimizer, lr=rate)
        chosen = dataclasses.replace(settings, training=dataclasses.replace(settings.training, optimizer=optimizer))
        states.append(train(chosen, tmp_path / str(rate)).state_dict())
    changed = {name for name in states[0] if not torch.equal(states[0][name], states[1][name])}
    assert changed
    assert not any(name.startswith("backbone.trunk") for name in changed)
    assert {"head.linear.weight", "backbone.linear.weight"} <= changed


class Ear(Silent):
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def start(self, epochs: int, steps: int, done: int) -> None:
        self.heard.append((epochs, steps, done))

    def step(self) -> None:
        self.heard.append("step")

    def epoch(self, record: dict[str, Any]) -> None:
        self.heard.append(record["epoch"])

    def close(self) -> None:
        self.heard.append("close")


def test_the_reporter_hears_every_step_and_the_end_of_it(small: Small, tmp_path: Path) -> None:
    ear = Ear()
    train(small(batch_size=100), tmp_path / "run", reporter=ear)
    assert ear.heard == [(2, 2, 0), "step", "step", 1, "step", "step", 2, "close"]


def test_the_reporter_is_closed_on_ctrl_c(small: Small, tmp_path: Path) -> None:
    class Impatient(Ear):
        def step(self) -> None:
            raise KeyboardInterrupt

    ear = Impatient()
    with pytest.raises(KeyboardInterrupt):
        train(small(), tmp_path / "run", reporter=ear)
    assert ear.heard[-1] == "close"
    train(small(), tmp_path / "run", resume=True)
    assert Run(tmp_path / "run").finished


def test_a_set_smaller_than_the_batch_is_one_step(small: Small, tmp_path: Path) -> None:
    train(small(epochs=1, batch_size=5000), tmp_path / "run")
    assert log(tmp_path / "run")[0]["steps"] == 1


def test_without_holdout_there_is_none(small: Small, tmp_path: Path) -> None:
    train(small(epochs=1, holdout=0.0), tmp_path / "run")
    assert log(tmp_path / "run")[0]["holdout_error"] is None
    with pytest.raises(ValueError, match=r"held no samples out \(--holdout 0\)"):
        Run(tmp_path / "run").holdout_images()


@pytest.mark.slow
def test_windows_are_cut_out_of_larger_images(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spied(images: Any, *arguments: Any, **options: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for x, y in train_batches(images, *arguments, **options):
            seen.append((images.size, tuple(x.shape[2:])))
            yield x, y

    monkeypatch.setattr("drumlin.training.loop.train_batches", spied)
    augment = AugmentSettings(flip=True, flip_alternating=True, crop=3)
    classifier = train(small(data_fields={"augment": augment}), tmp_path / "run")
    assert set(seen) == {((11, 11), (8, 8))}
    assert classifier.inputs.size == (8, 8)
    run = Run(tmp_path / "run")
    assert run.holdout_images().size == run.train_images().size == (8, 8)
    assert run.settings.data.augment == augment
    with torch.no_grad():
        held_out = run.holdout_images()
        wrong = (classifier(held_out.float()).argmax(1) != held_out.labels).float().mean().item()
    assert log(tmp_path / "run")[-1]["holdout_error"] == pytest.approx(wrong)


def test_the_last_epochs_vary_images_less(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blackened = []

    def spied(*arguments: Any, **options: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        batches = list(train_batches(*arguments, **options))
        images = torch.cat([x for x, y in batches])
        blackened.append((options["epoch"], bool((images.flatten(1) == 0).all(1).all())))
        yield from batches

    monkeypatch.setattr("drumlin.training.loop.train_batches", spied)
    augment = AugmentSettings(cutout=100, plain_epochs=1)
    train(small(data_fields={"augment": augment}), tmp_path / "run")
    assert blackened == [(0, True), (1, False)]


def test_a_probe_is_heard_after_every_epoch_and_changes_nothing(small, tmp_path) -> None:
    settings = small(backbone={"dropout": 0.2})
    heard = []

    def probe(classifier, training, holdout):
        heard.append((classifier.training, torch.is_grad_enabled(), len(training), len(holdout)))
        return {"number": float(len(heard))}

    probed = train(settings, tmp_path / "probed", probe=probe)
    plain = train(settings, tmp_path / "plain")
    torch.testing.assert_close(probed.state_dict(), plain.state_dict(), rtol=0, atol=0)
    split = Run(tmp_path / "probed").split
    assert heard == [(False, False, len(split.train), len(split.holdout))] * 2
    assert [epoch["probe"] for epoch in Run(tmp_path / "probed").history] == [{"number": 1.0}, {"number": 2.0}]
    assert all("probe" not in epoch for epoch in Run(tmp_path / "plain").history)


def test_within_epochs_the_hold_out_is_measured_as_the_model_is_then_and_nothing_changes(small, tmp_path) -> None:
    settings = small(backbone={"dropout": 0.2})
    heard = []

    def probe(classifier, training, holdout):
        wrong = (classifier(holdout.float()).argmax(1) != holdout.labels).double().mean().item()
        heard.append((classifier.training, wrong))
        return {"error": wrong}

    probed = train(settings, tmp_path / "probed", probe=probe, probe_every=3)
    plain = train(settings, tmp_path / "plain")
    torch.testing.assert_close(probed.state_dict(), plain.state_dict(), rtol=0, atol=0)
    history = Run(tmp_path / "probed").history
    steps, found = history[0]["steps"], moments(history)
    assert steps > 3
    assert [moment["steps"] for moment in found] == sorted({*range(3, 2 * steps, 3), steps, 2 * steps})
    assert [moment["probe"]["error"] for moment in found] == [wrong for _, wrong in heard]
    assert [moment["holdout_error"] for moment in found] == pytest.approx([wrong for _, wrong in heard])
    assert len({wrong for _, wrong in heard}) > 2
    assert not any(training for training, _ in heard)
    kept = ("epoch", "steps", "lr", "loss", "terms", "train_error", "holdout_error")
    plainly = Run(tmp_path / "plain").history
    assert [{key: epoch[key] for key in kept} for epoch in history] == [
        {key: epoch[key] for key in kept} for epoch in plainly
    ]
    assert all("within" not in epoch for epoch in plainly)


def test_time_that_is_spent_on_probing_is_not_time_of_training(small, tmp_path, monkeypatch) -> None:
    clock, passed = time.perf_counter, [0.0]

    def probe(*_: object) -> dict[str, float]:
        passed[0] += 10_000
        return {}

    monkeypatch.setattr("drumlin.training.loop.time.perf_counter", lambda: clock() + passed[0])
    train(small(), tmp_path / "run", probe=probe, probe_every=3)
    assert passed[0] > 30_000
    for epoch in Run(tmp_path / "run").history:
        assert 0 < epoch["seconds"] < epoch["seconds_with_evaluation"] < 10_000


def test_moments_within_epochs_outlive_a_kill(small, tmp_path, monkeypatch) -> None:
    train(small(), tmp_path / "whole", probe=lambda *_: {"number": 1.0}, probe_every=3)

    def killed(classifier: object, training: object, holdout: object) -> dict[str, float]:
        raise KeyboardInterrupt

    calls = iter([lambda *_: {"number": 1.0}] * len(moments(Run(tmp_path / "whole").history[:1])))
    with pytest.raises(KeyboardInterrupt):
        train(small(), tmp_path / "cut", probe=lambda *a: next(calls, killed)(*a), probe_every=3)
    train(small(), tmp_path / "cut", resume=True, probe=lambda *_: {"number": 1.0}, probe_every=3)
    found, whole = (moments(Run(tmp_path / name).history) for name in ("cut", "whole"))
    assert [(m["steps"], m["holdout_error"], m["probe"]) for m in found] == [
        (m["steps"], m["holdout_error"], m["probe"]) for m in whole
    ]


def test_without_a_hold_out_there_is_nothing_to_say_within_an_epoch(small, tmp_path) -> None:
    train(small(holdout=0.0), tmp_path / "run", probe_every=3)
    (first, *_) = Run(tmp_path / "run").history
    assert first["within"][0] == {"steps": 3, "holdout_error": None}


@pytest.mark.parametrize("every", [0, -1])
def test_steps_between_measurements_that_are_none_are_refused(small, tmp_path, every: int) -> None:
    with pytest.raises(ValueError, match=f"must be 1 or more, not {every}"):
        train(small(), tmp_path / "run", probe_every=every)
    assert not (tmp_path / "run").exists()
