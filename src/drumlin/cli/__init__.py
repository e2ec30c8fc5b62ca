"""The command line: parse, call, print. One command a file; `drumlin --help` needs neither torch nor tyro."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence

import drumlin
from drumlin._io import unknown

COMMANDS: dict[str, str] = {
    "demo": "train two models on small digits and show what each refuses, in about a minute",
    "train": "train a classifier: any head on any backbone",
    "evaluate": "error, calibration and geometry of a run, on its test images",
    "detect": "how well scores tell test images from other sets, or from attacked ones",
    "attack": "error of a run under an attack",
    "calibrate": "make a run refuse, at a false-alarm rate of your choice",
    "predict": "class, probability, p-value, accepted or refused, of image files",
    "report": "one page of a run, or of several side by side: map of features, scores, refusals",
    "reproduce": "train and measure what a table or figure of a paper shows, beside the published values",
    "datasets": "list the data sets known by name, or download one",
    "heads": "list the heads, or show one's settings",
    "backbones": "list the backbones, or show one's settings",
}
"""Name → what it does. `drumlin.cli.NAME` has a function `run(words) -> exit code`."""

_EXTRAS = {
    "PIL": "cli",
    "matplotlib": "cli",
    "plotly": "cli",
    "pytorch_metric_learning": "metric",
    "rich": "cli",
    "timm": "timm",
    "torchvision": "cli",
    "tyro": "cli",
}
"""Module → the extra that brings it."""


_HOW_TO_GO_ON = {
    "train": ": go on with the same command and --resume",
    "reproduce": ": go on with the same command",
    "attack": ": go on with the same command",
}
"""Command → what to say when it was interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, 2 for a user's error (one line on standard error), 130 for Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # names of files need not be UTF-8: they are printed as they are
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        with _warnings_in_a_line():
            code = _run(words)
        sys.stdout.flush()  # here, where a reader that has gone can be dealt with
    except SystemExit as end:  # after printing help
        return int(end.code or 0)
    except BrokenPipeError:  # the reader has gone, as in `drumlin ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise
        return _complain(f'this command needs {error.name}: pip install "drumlin[{_EXTRAS[error.name]}]"')
    except (ValueError, ImportError, OSError) as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return _complain(f"interrupted{_HOW_TO_GO_ON.get(words[0], '')}", code=130)
    return code


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0 if words else 2
    if words[0] == "--version":
        print(drumlin.__version__)
        return 0
    if words[0] not in COMMANDS:
        raise unknown("command", words[0], COMMANDS)
    return int(importlib.import_module(f"drumlin.cli.{words[0]}").run(words[1:]))


@contextlib.contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show warnings as other messages are shown, each text once: where in the code they come from tells a user nothing."""
    told: set[str] = set()

    def show(message: Warning | str, *where: object, **others: object) -> None:
        text = str(message)
        if text not in told:
            told.add(text)
            _complain(f"warning: {text}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _complain(text: str, code: int = 2) -> int:
    print(f"drumlin: {' '.join(text.split())}", file=sys.stderr)
    return code


def overview() -> str:
    """Return what `drumlin --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {about}" for name, about in COMMANDS.items()]
    usage = "usage: drumlin COMMAND [ARGUMENTS]      drumlin COMMAND --help      drumlin --version"
    about = (drumlin.__doc__ or "").splitlines()[0]
    return "\n".join([about, "", usage, "", *lines])
