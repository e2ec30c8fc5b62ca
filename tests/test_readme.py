from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def _runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ci_readme", ROOT / ".ci" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


RUNNER = _runner()
PYTHON = [block for block in RUNNER.blocks(README) if block.language == "python"]


def test_blocks_are_taken_whole_with_language_and_line() -> None:
    text = "a\n```python\nx = 1\n\ny = '```'\n```\nb\n```console\n$ make demo\n```\n"
    assert [(b.language, b.text, b.line) for b in RUNNER.blocks(text)] == [
        ("python", "x = 1\n\ny = '```'\n", 2),
        ("console", "$ make demo\n", 8),
    ]


@pytest.mark.parametrize("fence", ["```", "```sh", "```Python", "```python title", "~~~bash"])
def test_a_block_that_would_neither_run_nor_be_known_not_to_is_refused(fence: str) -> None:
    with pytest.raises(
        ValueError, match=r"line 2: a block's language must be one of bash, python, console, text, bibtex"
    ):
        RUNNER.blocks(f"a\n{fence}\nb\n```\n")


def test_a_block_left_open_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1: this block is never closed"):
        RUNNER.blocks("```bash\ntrue\n")


def test_a_failing_command_fails_even_in_the_middle_of_a_block(tmp_path: Path) -> None:
    for text in ("false\ntrue\n", "false | cat\n", "echo $not_set\n"):
        with pytest.raises(RuntimeError, match=r"README.md:7: the bash block ended with 1"):
            RUNNER.run([RUNNER.Block("bash", text, 7)], tmp_path)


def test_blocks_share_a_folder_and_not_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRUMLIN_DATA", "somewhere")
    write = RUNNER.Block("bash", 'test -z "${DRUMLIN_DATA-}"\necho hello > note\n', 1)
    read = RUNNER.Block("python", "assert open('note').read() == 'hello\\n'\n", 5)
    RUNNER.run([write, read], tmp_path)


def test_the_photos_suffice_to_calibrate_and_hold_an_unknown_class_back(tmp_path: Path) -> None:
    RUNNER.make_photos(tmp_path)
    counts = {folder.name: len(list(folder.iterdir())) for folder in (tmp_path / "photos").iterdir()}
    assert set(counts) == {"0", "1", "2"}
    assert (
        sum(counts.values()) * 0.8 * 0.1 >= 20
    )  # a fifth is the test split, a tenth of the rest held out; 5% takes 19
    assert len(list((tmp_path / "new-photos").iterdir())) >= 5


def test_readme_shows_head_command_line_and_wrapping_as_blocks_that_run() -> None:
    runnable = [block for block in RUNNER.blocks(README) if block.language in RUNNER.RUN]
    for part in ("GaussianMixtureHead(", "drumlin train", "drumlin calibrate", "drumlin predict", "Classifier.wrap("):
        assert any(part in block.text for block in runnable), part


@pytest.mark.slow
@pytest.mark.parametrize("block", PYTHON, ids=lambda block: f"line {block.line}")
def test_python_of_readme_runs(block: object, tmp_path: Path) -> None:
    RUNNER.run([block], tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.is_file(), target
        if linked.suffix != ".md":
            assert not anchor, target
            continue
        headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in slugs, target


def test_every_command_that_readme_names_exists() -> None:
    from drumlin.cli import COMMANDS

    used = set(re.findall(r"^drumlin ([a-z]+)|`drumlin ([a-z]+)", README, re.MULTILINE))
    assert {a or b for a, b in used} <= set(COMMANDS)
    assert ("train", "") in used
