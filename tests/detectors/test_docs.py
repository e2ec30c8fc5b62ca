"""The page about detectors: its example runs, and its table says what the classes say."""

import re
from pathlib import Path

import pytest

from drumlin.detectors import DETECTORS
from drumlin.heads import GaussianMixtureHead, SoftmaxHead

PAGE = (Path(__file__).parents[2] / "docs" / "detectors.md").read_text()


@pytest.mark.slow
def test_the_example_runs_and_finds_something(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/detectors.md", "exec"), {})
    found = dict(re.findall(r"^(\S+): AUROC (\d+\.\d)%", capsys.readouterr().out, re.MULTILINE))
    assert len(found) == 7
    assert all(float(auroc) > 75 for auroc in found.values()), found


def rows():
    table = PAGE[PAGE.index("| detector | labels |") :].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return cells[0], {row[0].strip("`"): dict(zip(cells[0], row, strict=True)) for row in cells[2:]}


def test_the_table_has_every_detector_and_what_it_needs():
    header, table = rows()
    assert list(table) == list(DETECTORS)
    for name, row in table.items():
        needed = {what for what in ("head", "hidden", "draws", "anomalies") if row[what] == "yes"}
        assert needed == DETECTORS[name].requires, name
        assert (row["labels"] == "yes") is DETECTORS[name].needs_labels, name
        assert set(row) == set(header)
        assert f"\n**`{name}`**: " in PAGE


def test_the_table_says_which_heads():
    for name, row in rows()[1].items():
        everything = DETECTORS[name].supports(GaussianMixtureHead.lgm(4, 3)) and DETECTORS[name].supports(
            SoftmaxHead(4, 3)
        )
        assert everything is row["heads"].startswith("all"), name
