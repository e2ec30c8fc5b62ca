from dataclasses import dataclass, field

import pytest

from drumlin.attacks import FGSM
from drumlin.cli._attacks import label
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
