"""The page about attacks: its example runs and shows what it says, and its table has every attack and its defaults."""

import re
from pathlib import Path

from drumlin.attacks import ATTACKS, AttackResult

PAGE = (Path(__file__).parents[2] / "docs" / "attacks.md").read_text()


def test_the_example_runs_and_the_aware_attack_looks_more_normal(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile("import torch\ntorch.manual_seed(0)\n" + example, "docs/attacks.md", "exec"), {})
    printed = capsys.readouterr().out
    scores = dict(re.findall(r"^(\w+): score (-?\d+\.\d+)$", printed, re.MULTILINE))
    assert float(scores["aware"]) < float(scores["unaware"])
    unaware, aware = (int(share) for share in re.findall(r"(\d+)%", printed))
    assert aware >= unaware > 50


def test_the_table_has_every_attack_and_its_defaults():
    rows = dict(re.findall(r"^\| `([\w-]+)` \| `\w+` \| .* \| (.*) \|$", PAGE, re.MULTILINE))
    assert list(rows) == list(ATTACKS)
    for name, kind in ATTACKS.items():
        assert f"| `{name}` | `{kind.__name__}` |" in PAGE
        for field, symbol in (("epsilon", "ε"), ("l2", "RMS"), ("kappa", "κ"), ("lr", "lr")):
            if hasattr(kind(), field) and "as `" not in rows[name]:
                assert re.search(rf"{symbol} {getattr(kind(), field):g}\b", rows[name]), (name, field)
        if hasattr(kind(), "steps") and "as `" not in rows[name]:
            assert f"{kind().steps} steps" in rows[name]


def test_every_field_of_the_result_is_explained():
    table = PAGE[PAGE.index("## What comes out") : PAGE.index("## Attacking a detector")]
    for field in AttackResult.__dataclass_fields__:
        assert f"\n| `{field}` |" in table
