import json

import pytest

from drumlin.recipes.progress_figures import Curve, progress_panels
from drumlin.training import train


@pytest.mark.slow
def test_a_curve_is_what_the_run_wrote_and_one_it_did_not_write_is_refused(small, tmp_path):
    train(small(), tmp_path / "run", probe=lambda *_: {"number": 0.25, "none": float("nan")})
    found = progress_panels({"gm": tmp_path / "run", "diverged": None}, (Curve("t", "number"), Curve("u", "none")))
    steps, numbers = found[0].curves["gm"]
    lines = [json.loads(line) for line in (tmp_path / "run" / "training.jsonl").read_text().splitlines()]
    assert steps.tolist() == [line["steps"] for line in lines]
    assert numbers.tolist() == [0.25] * len(lines)
    assert all(line["probe"]["none"] is None for line in lines)
    assert found[1].curves["gm"][1].tolist() == pytest.approx([float("nan")] * len(lines), nan_ok=True)
    assert list(found[0].curves) == ["gm"]
    plain = {line["steps"]: line["holdout_error"] for line in lines}
    train(small(), tmp_path / "close", probe=lambda *_: {"number": 0.25}, probe_every=2)
    (panel,) = progress_panels({"gm": tmp_path / "close"}, (Curve("t", "holdout_error"),))
    steps, errors = (column.tolist() for column in panel.curves["gm"])
    assert steps == sorted({*range(2, max(plain) + 1, 2), *plain}), "every second step, and the end of every epoch"
    assert {step: errors[steps.index(step)] for step in plain} == plain
    with pytest.raises(ValueError, match=r"run has no pair_error in its training\.jsonl: it was trained before"):
        progress_panels({"gm": tmp_path / "run"}, (Curve("t", "pair_error"),))
