import io
import sys

import pytest

from drumlin.training.progress import Live, Plain, Silent, epoch_line, reporter

RECORD = {
    "epoch": 1,
    "terms": {"classification": 0.5, "likelihood": 0.25},
    "train_error": 0.1,
    "holdout_error": 0.05,
    "images_per_second": 900.4,
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_holdout_nothing_is_said_of_it() -> None:
    line = epoch_line(RECORD | {"holdout_error": None}, 3, 59.6)
    assert "hold-out" not in line
    assert line.endswith("1:00 left")


def test_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    voice = reporter()
    assert type(voice) is Plain
    voice.start(2, 5, 0)
    voice.step()
    voice.epoch(RECORD)
    voice.close()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "\x1b" not in printed.err
    assert printed.err.startswith(
        "epoch 1/2  classification 0.5000  likelihood 0.2500  training error 10.00%  hold-out"
    )


def test_the_time_left_is_reckoned_from_the_epochs_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0])
    monkeypatch.setattr("drumlin.training.progress.time.monotonic", lambda: next(clock))
    lines: list[str] = []
    monkeypatch.setattr(Plain, "_print", lambda self, line: lines.append(line))
    plain = Plain()
    plain.start(10, 5, 6)  # six epochs had been done before
    plain.epoch(RECORD | {"epoch": 8})  # two more in ten seconds, two are left
    assert lines[0].endswith("0:10 left")


def test_a_live_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    voice = reporter()
    assert type(voice) is Live
    voice.start(2, 5, 1)
    voice.step()
    voice.epoch(RECORD)
    voice.close()
    printed = terminal.getvalue()
    assert "\x1b" in printed
    assert "6/10" in printed
    # whole, though wider than the terminal
    assert epoch_line(RECORD, 2, 0).removesuffix("0:00 left") in printed


def test_closing_before_the_start_is_nothing() -> None:
    Live().close()


def test_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    voice = reporter(quiet=True)
    assert type(voice) is Silent
    voice.start(2, 5, 0)
    voice.epoch(RECORD)
    voice.close()
    assert capsys.readouterr() == ("", "")
