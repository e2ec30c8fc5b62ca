import contextlib
import io
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import drumlin as package
from drumlin.cli import COMMANDS, main

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def python(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, **options)


def test_the_overview_lists_every_command(drumlin: Callable[..., Any]) -> None:
    for words in (("--help",), ("-h",)):
        outcome = drumlin(*words)
        assert outcome.code == 0
        assert all(f"  {name} " in outcome.out for name in COMMANDS)
    nothing = drumlin()
    assert (nothing.code, nothing.out) == (2, outcome.out)


def test_the_version(drumlin: Callable[..., Any]) -> None:
    assert drumlin("--version").out.strip() == package.__version__


def test_the_package_runs_as_a_module() -> None:
    words = [sys.executable, "-m", "drumlin"]
    assert subprocess.check_output([*words, "--version"], text=True, timeout=120).strip() == package.__version__
    wrong = subprocess.run([*words, "trian"], capture_output=True, text=True, timeout=120)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean 'train'?" in wrong.stderr


def test_the_overview_needs_neither_torch_nor_tyro() -> None:
    code = (
        "import sys; from drumlin.cli import main; assert main(['--help']) == 0;"
        "print(sorted({'torch', 'tyro', 'numpy', 'sklearn', 'rich'} & set(sys.modules)))"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_its_flags(drumlin: Callable[..., Any], command: str) -> None:
    outcome = drumlin(command, "--help")
    assert outcome.code == 0
    assert f"usage: drumlin {command}" in outcome.out
    assert outcome.err == ""


def test_help_of_training_is_that_of_the_head_asked_for(drumlin: Callable[..., Any]) -> None:
    assert "--head.label-smoothing" in drumlin("train", "--head", "softmax", "--help").out
    other = drumlin("train", "--head=lgm", "--help").out
    assert "--head.margin" in other
    assert "--head.label-smoothing" not in other


def test_an_unknown_command(refused: Callable[..., str]) -> None:
    assert refused("trian").startswith("unknown command 'trian': did you mean 'train'? (known: attack, ")


@pytest.mark.parametrize(("module", "extra"), [("tyro", "cli"), ("timm", "timm")])
def test_a_missing_library_says_which_extra_brings_it(module: str, extra: str) -> None:
    words = ["heads"] if module == "tyro" else ["train", "--backbone", "timm:resnet18", "--out", "never"]
    code = f"import sys; sys.modules[{module!r}] = None; from drumlin.cli import main; sys.exit(main({words!r}))"
    done = python(code)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f'pip install "drumlin[{extra}]"' in done.stderr or f"pip install 'drumlin[{extra}]'" in done.stderr


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "drumlin.cli.heads", None)  # importing it raises ModuleNotFoundError
    with pytest.raises(ModuleNotFoundError):
        main(["heads"])


@pytest.mark.parametrize("words", [["--help"], ["heads"], ["datasets"]])
def test_a_reader_that_has_gone_is_no_error(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "drumlin.cli", *words]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.slow
def test_ctrl_c_leaves_a_training_that_can_go_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = f"train --data digits:0,1 --epochs 2000 --out {run}".split()
    command = [sys.executable, "-m", "drumlin.cli", *words]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        # A shell's background job, as these tests may be, ignores Ctrl-C and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 120
        while not (run / "training.jsonl").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert "\x1b" not in err
    assert err.splitlines()[-1] == "drumlin: interrupted: go on with the same command and --resume"
    assert (run / "checkpoint" / "last.safetensors").exists()
    assert not (run / "model.json").exists()


def test_ctrl_c_elsewhere_has_no_advice_on_resuming(
    drumlin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from drumlin.cli import heads

    def interrupted(words: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(heads, "run", interrupted)
    outcome = drumlin("heads")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "drumlin: interrupted\n")


def test_errors_of_many_lines_are_told_in_one(refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    from drumlin.cli import heads

    def broken(words: object) -> int:
        raise OSError("no\n  space\nleft")

    monkeypatch.setattr(heads, "run", broken)
    assert refused("heads") == "no space left"


def test_warnings_are_told_in_one_line_each_once(drumlin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from drumlin.cli import heads

    def warned(words: object) -> int:
        for text in ("the file\n  is torn", "the file\n  is torn", "full"):
            warnings.warn(text)
        return 0

    monkeypatch.setattr(heads, "run", warned)
    for _ in range(2):  # what was told of one command is told of the next
        outcome = drumlin("heads")
        assert (outcome.code, outcome.out, outcome.err) == (
            0,
            "",
            "drumlin: warning: the file is torn\ndrumlin: warning: full\n",
        )


@pytest.mark.parametrize("ends", [lambda words: 0, lambda words: 1 / 0])
def test_warnings_outside_a_command_are_as_they_were(monkeypatch: pytest.MonkeyPatch, ends: Callable[..., int]) -> None:
    from drumlin.cli import heads

    monkeypatch.setattr(heads, "run", ends)
    before = warnings.showwarning, list(warnings.filters)
    with contextlib.suppress(ZeroDivisionError):
        main(["heads"])
    assert (warnings.showwarning, list(warnings.filters)) == before


@pytest.mark.slow
def test_a_torn_last_record_is_told_without_our_source(copied: Callable[[str], Path]) -> None:
    run = copied("softmax")
    (run / "results.jsonl").write_text('{"schema": 1, "ru')
    command = [sys.executable, "-m", "drumlin.cli", "evaluate", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines
    assert all(line.startswith(f"drumlin: warning: {run / 'results.jsonl'}: ") for line in lines), lines
    assert "torn last line of 17 bytes" in lines[0]


def test_a_name_that_is_not_utf_8_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from drumlin.cli import heads

    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="utf-8", errors="strict"))
    monkeypatch.setattr(heads, "run", lambda words: print(os.fsdecode(b"caf\xe9.png")) or 0)
    assert main(["heads"]) == 0
    assert out.getvalue() == b"caf\xe9.png\n"
