"""drumlin attack, with every attack there is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drumlin.attacks import ATTACKS
from drumlin.results import read, select

pytestmark = pytest.mark.slow
Copy = Callable[[str], Path]
Drumlin = Callable[..., Any]
Refused = Callable[..., str]
QUICK = {
    "pgd": ("--attack.epsilon", "0.1", "--attack.restarts", "2", "--attack.step", "0.05"),
    "orthogonal-pgd": ("--attack.steps", "5", "--against", "k-density"),
    "cw": ("--attack.steps", "20"),
    "cw-detector": ("--attack.steps", "20", "--against", "k-density"),
}
LABELS = {
    "fgsm": "fgsm(epsilon=0.1)",
    "bim": "bim(epsilon=0.2)",
    "ilcm": "ilcm(epsilon=0.2)",
    "pgd": "pgd(epsilon=0.1, step=0.05, restarts=2)",
    "orthogonal-pgd": "orthogonal-pgd(epsilon=0.1, steps=5, against=k-density)",
    "cw": "cw(steps=20)",
    "cw-detector": "cw-detector(steps=20, against=k-density)",
    "noise": "noise(l2=0.1)",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_works_by_its_name(drumlin: Drumlin, copied: Copy, name: str) -> None:
    run = copied("softmax")
    outcome = drumlin("attack", run, "--attack", name, "--limit", 12, *QUICK.get(name, ()))
    assert outcome.code == 0, outcome.err
    assert "iterations" in outcome.out
    records = select(read(run / "results.jsonl"), task="robustness", anomaly=f"{LABELS[name]}[:12]")
    assert {r.metric for r in records} == {"error", "success", "zero-gradient", "distortion", "iterations"}


def test_the_help_lists_every_attack(drumlin: Drumlin) -> None:
    for words in (("attack",), ("detect",), ("attack", "--attack", "pgd")):
        out = drumlin(*words, "--help").out
        for name, kind in ATTACKS.items():
            assert f"{name}: {kind.__doc__.partition(':')[0]}" in " ".join(out.split())
    assert "--attack.restarts" in out
    assert "--against" in out


def test_thresholds_are_numbers_one_or_one_a_class(drumlin: Drumlin, refused: Refused, copied: Copy) -> None:
    run = copied("softmax")
    words = ("attack", run, "--attack", "cw-detector", "--against", "k-density", "--attack.steps", 2, "--limit", 3)
    assert drumlin(*words, "--attack.threshold", 3.5).code == 0
    assert drumlin(*words, "--attack.threshold", *range(8)).code == 0
    labels = {r.anomaly for r in read(run / "results.jsonl")}
    assert "cw-detector(steps=2, threshold=3.5, against=k-density)[:3]" in labels
    assert len(labels) == 2
    assert "one for each of 8 classes, got 2" in refused(*words, "--attack.threshold", 1, 2)


def test_what_a_user_can_get_wrong(refused: Refused, copied: Copy) -> None:
    run = copied("softmax")
    assert "unknown attack 'pdg': did you mean 'pgd'" in refused("attack", run, "--attack", "pdg")
    assert "--attack cw-detector is to pass a detector" in refused("attack", run, "--attack", "cw-detector")
    assert "drumlin attack --against" in refused("detect", run, "--attack", "cw-detector")
    assert "attack 'ilcm' picks its own" in refused("attack", run, "--attack", "ilcm", "--target", "second")
    message = refused("attack", run, "--attack", "noise", "--against", "energy")
    assert "attack 'noise' can keep none low" in message
    assert "unknown detector for this head 'kdensity'" in refused("attack", run, "--against", "kdensity")
    assert "has no such argument with --attack noise" in refused(
        "attack", run, "--attack", "noise", "--attack.epsilon", 1
    )
    assert "restarts must be a whole number" in refused("attack", run, "--attack", "pgd", "--attack.restarts", 0)
    assert not (run / "results.jsonl").exists()


def test_the_weight_of_a_score_acts_where_there_is_a_score(drumlin: Drumlin, copied: Copy) -> None:
    run = copied("softmax")
    words = ("attack", run, "--limit", 12, "--against", "energy")
    for weight in (0, 100):
        assert drumlin(*words, "--attack.score-weight", weight).code == 0
    records = select(read(run / "results.jsonl"), metric="success")
    labels = {r.anomaly: r.value for r in records}
    assert set(labels) == {f"fgsm(score_weight={w}, epsilon=0.1, against=energy)[:12]" for w in ("0.0", "100.0")}
    assert (
        labels["fgsm(score_weight=0.0, epsilon=0.1, against=energy)[:12]"]
        > labels["fgsm(score_weight=100.0, epsilon=0.1, against=energy)[:12]"]
    )
