import dataclasses
from dataclasses import dataclass, field

import pytest

from drumlin.attacks import ATTACKS, FGSM, Attack, CarliniWagner, Noise
from drumlin.cli._attacks import AttackLines, label
from drumlin.cli._parsing import choose, parse, take
from drumlin.cli._tables import percent, record_lines, table
from drumlin.results import Record


@dataclass(kw_only=True)
class Command:
    """Do something."""

    size: int = 3
    """How large."""


@dataclass
class Tone:
    pitch: float = 1.0
    """How high."""
    lower_limit: float = 0.0
    """See --nothing."""


@dataclass(kw_only=True)
class Loud(Command):
    """Do something loudly."""

    loud: bool = True
    """Whether."""
    tone: Tone = field(default_factory=Tone)
    """Which."""


def test_parse() -> None:
    assert parse(Command, ["--size", "4"], name="do") == Command(size=4)
    message = r"^--depth: drumlin do has no such argument today \(see drumlin do --help\)$"
    with pytest.raises(ValueError, match=message):
        parse(Command, ["--depth", "4"], name="do", fixed="today")
    with pytest.raises(ValueError, match=r"--size.*'x'.*\(see drumlin do --help\)$"):
        parse(Command, ["--size", "x"], name="do")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--sise", "'--size'"),
        ("--sise=4", "'--size'"),
        ("--no-lod", "'--no-loud' or '--loud'"),
        ("--tone.pich", "'--tone.pitch'"),
        ("--pitch", "'--tone.pitch'"),  # its own flag, but for whose it is
        ("--tone.low_limit", "'--tone.lower-limit'"),
    ],
)
def test_a_flag_that_is_not_there_is_answered_with_the_nearest(word: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"^{word}: drumlin do has no such argument: did you mean {meant}\? \(see"):
        parse(Loud, [word], name="do")


def test_flags_read_beforehand_are_near_too() -> None:
    with pytest.raises(ValueError, match=r"with --head gm: did you mean '--head'\?"):
        parse(Loud, ["--hed", "lgm"], name="do", fixed="with --head gm")


@pytest.mark.parametrize("word", ["--brightness", "sise"])
def test_what_is_near_to_nothing_has_no_hint(word: str) -> None:
    with pytest.raises(ValueError, match=rf"^{word}: drumlin do has no such argument \(see"):
        parse(Loud, [word, "4"], name="do")


def test_take() -> None:
    assert take(["a", "--head=gm", "b"], "--head", "softmax") == ("gm", ["a", "b"])
    assert take(["--head", "gm", "--head", "lgm"], "--head", "softmax") == ("lgm", [])
    assert take(["--head.margin", "1"], "--head", "softmax") == ("softmax", ["--head.margin", "1"])
    for words in (["--head"], ["--head", "--seed", "1"]):
        with pytest.raises(ValueError, match="--head needs a value"):
            take(words, "--head", "softmax")


def test_choose() -> None:
    assert choose("thing", ["b", "a"], ["a", "b"]) == ["b", "a"]
    with pytest.raises(ValueError, match="unknown thing 'c'"):
        choose("thing", ["a", "c"], ["a", "b"])


def test_labels_of_attacks() -> None:
    assert label(FGSM()) == "fgsm(epsilon=0.1)"
    assert label(FGSM(batch_size=3)) == label(FGSM())  # it changes no result
    assert label(FGSM(loss="head")) != label(FGSM())
    assert label(FGSM(), "second", 30) == "fgsm(epsilon=0.1, target=second)[:30]"
    assert label(FGSM(), against="energy") == "fgsm(epsilon=0.1, against=energy)"
    assert label(CarliniWagner(kappa=10.0)) == "cw(kappa=10.0)"
    assert label(Noise()) == "noise(l2=0.1)"  # how large it is, is said whatever the default


@pytest.mark.parametrize("kind", ATTACKS.values(), ids=lambda kind: kind.name)
def test_labels_tell_every_setting_apart(kind: type[Attack]) -> None:
    others = {"loss": "margin", "threshold": (1.0, 2.0), "step": 0.5, "epsilon": 0.05, "l2": 0.05}
    labels = [label(kind())]
    for item in dataclasses.fields(kind):
        if item.name != "batch_size":  # which changes no result
            value = others[item.name] if item.name in others else item.default + 1
            labels.append(label(kind(**{item.name: value})))
    assert len(set(labels)) == len(labels) == len(dataclasses.fields(kind))


def test_lines_of_an_attack_come_when_it_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("drumlin.cli._attacks.time.monotonic", lambda: now[0])
    lines = AttackLines()
    now[0] += 50  # until here data was read
    for done, seconds in ((500, 0.0), (1000, 2.0), (1500, 30.0), (3000, 60.0)):
        now[0] += seconds
        lines(done, 3000)
    said = capsys.readouterr().err.splitlines()
    # quick so far: nothing; then 32 s for 1,000 of the 2,500 that were to do; then all
    assert said == [
        "500 of 3000 images are attacked already",
        "attacked 1500/3000 images  0:48 left",
        "attacked 3000/3000 images  0:00 left",
    ]
    AttackLines()(0, 3000)
    AttackLines()(3000, 3000)
    assert capsys.readouterr().err == ""


def test_tables() -> None:
    text = table(["set", "value"], [["noise", "1.50%"], ["x", "–"], ["y", "100.00%"]])
    assert text.splitlines() == ["set      value", "noise    1.50%", "x            –", "y      100.00%"]
    assert table(["a"], []) == "a"
    assert (percent(None), percent(0.125)) == ("–", "12.50%")


def test_lines_of_records_without_a_number() -> None:
    facts = {"run": "r", "task": "t", "data": "d", "split": "test", "metric": "m"}
    text = record_lines(
        [
            Record(value=None, unit="nats", **facts),
            Record(
                value=0.5, ci_low=0.25, ci_high=0.75, unit="fraction", published=0.1, published_source="here", **facts
            ),
        ]
    )
    first, second = text.splitlines()[1:]
    assert "–" in first
    assert "50.00%" in second
    assert "25.00% to 75.00%" in second
    assert "10.00% (here)" in second
