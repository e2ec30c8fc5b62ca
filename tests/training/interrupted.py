"""Run as a script: train, be killed with SIGKILL at a named moment, resume; leave all in folders for the tests to compare.

Every interrupted and resumed training is a fork of this process, so that everything is imported once; on one thread, since the
workers of others would not come along.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from drumlin import _io
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.data import DataSettings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import LookaheadSettings, OptimizerSettings, RunSettings, TrainingSettings
from drumlin.training import claims, loop, train
from drumlin.training.progress import Silent

SETTINGS = {
    name: RunSettings(
        data=DataSettings(name="digits:0,1"),
        head=head_settings(head),
        backbone=backbone_settings("digits-cnn", width=8, feature_dim=16, dropout=0.3),
        training=TrainingSettings(
            epochs=3, batch_size=32, precision="float32", device="cpu", optimizer=optimizer, lookahead=lookahead
        ),
        seed=3,
    )
    for name, head, optimizer, lookahead in (
        ("sgd", "gm", OptimizerSettings(name="SGD", lr=0.05), LookaheadSettings(every=3, start=0.5)),
        ("adamw", "lgm", OptimizerSettings(name="AdamW", lr=0.005), LookaheadSettings()),
    )
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(module: object, name: str, call: int, matches: Callable[..., bool] = lambda *a, **k: True) -> None:
    """Die right before the `call`th matching call of `module.name`."""
    original, calls = getattr(module, name), [0]

    def wrapped(*arguments: object, **options: object) -> object:
        calls[0] += bool(matches(*arguments, **options))
        if calls[0] == call:
            die()
        return original(*arguments, **options)

    setattr(module, name, wrapped)


class DiesAt(Silent):
    """Dies after so many steps."""

    def __init__(self, step: int) -> None:
        self.left = step

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            die()


def renamed(file: str) -> Callable[..., bool]:
    return lambda source, target: Path(target).name == file


MOMENTS: dict[str, Callable[[], Silent | None]] = {
    "before-config": lambda: at_call(claims, "write_config", 1),
    "after-config": lambda: at_call(loop, "load_checkpoint", 1),
    "first-step": lambda: DiesAt(1),
    "mid-epoch": lambda: DiesAt(11),
    "checkpoint-not-renamed": lambda: at_call(_io.os, "replace", 2, renamed("last.safetensors")),
    "between-checkpoint-and-log": lambda: at_call(_io.os, "replace", 2, renamed("training.jsonl")),
    "between-last-checkpoint-and-log": lambda: at_call(_io.os, "replace", 3, renamed("training.jsonl")),
    "before-model": lambda: at_call(_io.os, "replace", 1, renamed("model.safetensors")),
    "before-description": lambda: at_call(_io.os, "replace", 1, renamed("model.json")),
}


def forked(work: Callable[[], None]) -> int:
    """Do `work` in a fork; return its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(place: Path) -> None:
    torch.set_num_threads(1)
    codes: dict[str, list[int]] = {}
    for name, settings in SETTINGS.items():
        train(settings, place / name / "whole")
        for moment, prepare in MOMENTS.items():
            out = place / name / moment

            def interrupted(settings=settings, out=out, prepare=prepare) -> None:
                train(settings, out, reporter=prepare())

            def resumed(settings=settings, out=out) -> None:
                train(settings, out, resume=True)

            codes[f"{name}/{moment}"] = [forked(interrupted), forked(resumed)]
    (place / "codes.json").write_text(json.dumps(codes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
