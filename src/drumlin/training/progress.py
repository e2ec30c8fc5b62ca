"""Telling the user how a training goes: a live line on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol


class Reporter(Protocol):
    """Hears of a training's steps and epochs."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin: `steps` an epoch, `epochs` in all, `done` of them already."""

    def step(self) -> None:
        """One step is done."""

    def epoch(self, record: dict[str, Any]) -> None:
        """An epoch is done; `record` is its line of training.jsonl."""

    def close(self) -> None:
        """The training is over, or was interrupted."""


class Silent:
    """Says nothing."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin."""

    def step(self) -> None:
        """One step is done."""

    def epoch(self, record: dict[str, Any]) -> None:
        """An epoch is done."""

    def close(self) -> None:
        """The training is over."""


def epoch_line(record: dict[str, Any], epochs: int, left: float) -> str:
    """Return an epoch's record as a line for people.

    >>> record = {"epoch": 1, "terms": {"classification": 0.5}, "train_error": 0.1, "holdout_error": 0.05, "images_per_second": 900.4}
    >>> epoch_line(record, 3, 61)
    'epoch 1/3  classification 0.5000  training error 10.00%  hold-out error 5.00%  900 images/s  1:01 left'
    """
    terms = "  ".join(f"{name} {value:.4f}" for name, value in record["terms"].items())
    held = record["holdout_error"]
    holdout = "" if held is None else f"  hold-out error {held:.2%}"
    minutes, seconds = divmod(round(left), 60)
    return (
        f"epoch {record['epoch']}/{epochs}  {terms}  training error {record['train_error']:.2%}{holdout}"
        f"  {record['images_per_second']:.0f} images/s  {minutes}:{seconds:02d} left"
    )


class Plain(Silent):
    """A line an epoch on standard error, for logs and pipes."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin; the time left is reckoned from here."""
        self._epochs, self._done, self._begin = epochs, done, time.monotonic()

    def epoch(self, record: dict[str, Any]) -> None:
        """Print the epoch's line."""
        self._print(epoch_line(record, self._epochs, self._left(record["epoch"])))

    def _left(self, epoch: int) -> float:
        return (time.monotonic() - self._begin) / max(1, epoch - self._done) * (self._epochs - epoch)

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class Live(Plain):
    """The same lines above a bar of rich that moves with every step."""

    def start(self, epochs: int, steps: int, done: int) -> None:
        """Begin, and show the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        super().start(epochs, steps, done)
        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("training", total=epochs * steps, completed=done * steps)
        self._bar.start()

    def step(self) -> None:
        """Move the bar."""
        self._bar.advance(self._task)

    def close(self) -> None:
        """Take the bar away."""
        if hasattr(self, "_bar"):
            self._bar.stop()

    def _print(self, line: str) -> None:
        self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)


def reporter(*, quiet: bool = False) -> Reporter:
    """Return the reporter for standard error: live on a terminal, plain elsewhere."""
    if quiet:
        return Silent()
    return Live() if sys.stderr.isatty() else Plain()
