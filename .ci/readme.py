"""Runs the examples of README.md: every `bash` and `python` block, in order, in one temporary folder.

A block's language says whether it runs: `bash` and `python` do, `console`, `text` and `bibtex` do not; any other is an error, so
that no example goes unrun by a slip of the pen. Every Python block runs by itself in a fresh interpreter. The examples find
`photos/`, a folder a class, and `new-photos/`, as a reader has them; here they are digits.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
RUN = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-W", "error::DeprecationWarning", "-c"]}
SHOWN = ("console", "text", "bibtex")
SECONDS_PER_BLOCK = 300


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of README.md it begins in."""

    language: str
    text: str
    line: int


def blocks(markdown: str) -> list[Block]:
    """Return the fenced blocks of a Markdown text.

    Raises:
        ValueError: a fence without or with an unknown language, or one that is never closed; with its line.
    """
    found: list[Block] = []
    begin, language, lines = 0, "", []
    for number, line in enumerate(markdown.splitlines(), 1):
        if begin and line.strip() == "```":
            found.append(Block(language, "\n".join(lines) + "\n", begin))
            begin = 0
        elif begin:
            lines.append(line)
        elif line.lstrip().startswith(("```", "~~~")):
            language = line.strip().removeprefix("```")
            if language not in (*RUN, *SHOWN):
                raise ValueError(
                    f"line {number}: a block's language must be one of {', '.join((*RUN, *SHOWN))}: {line!r}"
                )
            begin, lines = number, []
    if begin:
        raise ValueError(f"line {begin}: this block is never closed")
    return found


def make_photos(folder: Path) -> None:
    """Write `photos/CLASS/*.png`, 32 pixels wide, and `new-photos/*.png`: digits of three classes, and of a fourth one too."""
    from PIL import Image

    from drumlin.data import adapt, load

    images = adapt(load("digits:0-3", "all"), channels=3, size=32)
    for index, (pixels, label) in enumerate(zip(images.pixels[::2], images.labels[::2].tolist(), strict=True)):
        known = label < 3 and index % 50 != 0
        path = folder / (f"photos/{images.class_names[label]}" if known else "new-photos") / f"{index}.png"
        if known or index % 25 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)


def run(chosen: Sequence[Block], folder: Path) -> None:
    """Run blocks one after the other in `folder`.

    Raises:
        RuntimeError: one failed; the message has its line in README.md, and what it printed.
    """
    environment = {name: value for name, value in os.environ.items() if name != "DRUMLIN_DATA"}
    environment["XDG_CACHE_HOME"] = str(folder / ".cache")
    for block in chosen:
        begin = time.monotonic()
        done = subprocess.run(
            [*RUN[block.language], block.text],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS_PER_BLOCK,
        )
        if done.returncode:
            raise RuntimeError(
                f"README.md:{block.line}: the {block.language} block ended with {done.returncode}:\n{done.stdout}"
            )
        print(f"README.md:{block.line}: {block.language}, {time.monotonic() - begin:.0f} s\n{done.stdout}", flush=True)


def main() -> int:
    """Run the blocks of README.md; return 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=RUN, help="run blocks of this language alone")
    only = parser.parse_args().only
    chosen = [block for block in blocks(README.read_text()) if block.language in (RUN if only is None else (only,))]
    with tempfile.TemporaryDirectory() as folder:
        make_photos(Path(folder))
        try:
            run(chosen, Path(folder))
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(error, file=sys.stderr)
            return 1
    print(f"{len(chosen)} blocks of README.md run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
