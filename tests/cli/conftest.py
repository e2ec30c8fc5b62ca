import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from drumlin.cli import main
from drumlin.data import load


class Outcome:
    """What a command came to."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def drumlin(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command line in this process."""

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return run


@pytest.fixture
def refused(drumlin: Callable[..., Outcome]) -> Callable[..., str]:
    """Run a command line that must fail as a user's error: exit code 2, one line on standard error, nothing on standard output."""

    def run(*words: object) -> str:
        outcome = drumlin(*words)
        assert outcome.code == 2
        assert outcome.out == ""
        assert outcome.err.count("\n") == 1
        assert outcome.err.startswith("drumlin: ")
        return outcome.err.removeprefix("drumlin: ").strip()

    return run


@pytest.fixture(scope="session")
def calibrated_once(digits_runs: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = Path(shutil.copytree(digits_runs("softmax"), tmp_path_factory.mktemp("calibrated") / "run"))
    assert main(["calibrate", str(run), "--false-alarm", "0.05", "--detector", "msp"]) == 0
    return run


@pytest.fixture
def calibrated(calibrated_once: Path, tmp_path: Path) -> Path:
    """A copy of a softmax run, calibrated with MSP at 5%."""
    return Path(shutil.copytree(calibrated_once, tmp_path / "calibrated"))


@pytest.fixture(scope="session")
def digit_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six test digits as PNG files, named by their class, in two folders."""
    from PIL import Image

    place = tmp_path_factory.mktemp("digits")
    images = load("digits:0-7", "test")
    for i in range(6):
        folder = place / ("a" if i < 3 else "b")
        folder.mkdir(exist_ok=True)
        name = f"{i}-is-{images.class_names[int(images.labels[i])]}.png"
        Image.fromarray(images.pixels[i, 0].numpy()).save(folder / name)
    assert images.pixels.dtype == torch.uint8
    return place
