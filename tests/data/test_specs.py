from __future__ import annotations

from pathlib import Path

import pytest

from drumlin.data.specs import parse_spec, select_classes

NAMES = ["cat", "dog", "7", "T-shirt/top", "2-3"]


def test_parts() -> None:
    assert (parse_spec("mnist").name, parse_spec("mnist").classes) == ("mnist", None)
    assert parse_spec("mnist:").classes == ""
    assert parse_spec("folder:a:b").folder == Path("a:b")
    assert parse_spec("folder:~/x").folder == Path.home() / "x"


@pytest.mark.parametrize(
    ("text", "message"), [("folder:", "names no folder"), (":0-7", "names no data set"), ("", "names no")]
)
def test_empty_parts(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_spec(text)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("0", [0]),
        ("0-2", [0, 1, 2]),
        ("4, 0,0", [0, 4]),
        ("dog,cat", [0, 1]),
        ("T-shirt/top", [3]),
        ("7", [2]),
        ("2-3", [4]),
    ],
)
def test_selection(text: str, chosen: list[int]) -> None:
    assert select_classes(text, NAMES) == chosen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dgo", "unknown class 'dgo': did you mean 'dog'"),
        ("-1", "unknown class '-1'"),
        ("3-1", "run backwards; write 1-3"),
        ("0-5", "no class 5, they are numbered 0 to 4"),
        ("5", "no class 5"),
        ("", "names no class; write names, indices or ranges such as 0-4"),
        (" ,", "names no class"),
    ],
)
def test_no_such_class(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        select_classes(text, NAMES)
