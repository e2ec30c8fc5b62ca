"""The head that CONTRIBUTING.md adds works as it says."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from drumlin import heads
from drumlin.heads import create_head
from drumlin.heads._checks import at_least
from drumlin.heads.base import Reduction
from drumlin.heads.linear import LinearHead
from drumlin.settings.heads import HEADS, HeadSettings, head_settings

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
IMPORTED = (ClassVar, HeadSettings, LinearHead, Reduction, Tensor, at_least, dataclass, nn)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> str:
    """Add the head as the text tells, and return its name."""
    made = {name: value for name, value in globals().items() if any(value is given for given in IMPORTED)}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(block, made)
    settings, head = re.findall(r"`(\w+): (\w+),`", TEXT)[0]
    name: str = made[settings]._name
    monkeypatch.setitem(HEADS, name, made[settings])
    monkeypatch.setitem(heads._BUILDERS, made[settings], made[head])
    return name


def test_the_head_is_found_made_and_trained(added: str) -> None:
    z = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    head = create_head(head_settings(added, weight=0.1), 2, 3)
    out = head(z, torch.tensor([0, 2]))
    torch.testing.assert_close(out.terms["length"], torch.tensor([1.25, 0.0]))
    out.loss.backward()
    with pytest.raises(ValueError, match=r"weight must be a finite number of at least 0, got -1"):
        create_head(head_settings(added, weight=-1), 2, 3)


def test_the_head_has_flags_and_is_listed(added: str, capsys: pytest.CaptureFixture[str]) -> None:
    from drumlin.cli import main

    assert f"drumlin train --head\n{added} --head.weight 0.1" in TEXT
    assert main(["heads"]) == 0
    assert f"{added}      Softmax with a cost for long features.\n" in capsys.readouterr().out
    assert main(["heads", added]) == 0
    assert re.search(r"^--head\.weight +0\.01$", capsys.readouterr().out, re.MULTILINE)
