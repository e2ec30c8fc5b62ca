import dataclasses
import re

import pytest

from drumlin.report.palette import COLOURS, css, set_styles


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    high, low = sorted([_luminance(a), _luminance(b)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("ground", ["paper", "panel"])
def test_text_and_lines_stand_out_as_wcag_asks(mode: int, ground: str) -> None:
    needed = {"ink": 7, "muted": 4.5, "accent": 4.5} | {
        name: 3 for name in COLOURS if name.startswith(("set-", "test", "low", "high"))
    }
    for name, least in needed.items():
        assert _contrast(COLOURS[name][mode], COLOURS[ground][mode]) >= least, name


def test_both_modes_have_every_colour() -> None:
    text = css()
    for block in re.findall(r"\{(color-scheme:[^}]*)\}", text):
        assert all(f"--{name}:#" in block for name in COLOURS)
    assert text.count("{color-scheme:") == 3


def test_a_set_looks_alike_in_all_runs_and_no_two_sets_alike(run_writer) -> None:
    first, second = run_writer("one").contents(), run_writer("two")
    second.sets = {f"set {i}": second.sets["noise"] for i in range(12)} | second.sets
    styles = set_styles([first, second.contents()])
    assert len(styles) == 17
    assert len({(style.colour, style.dash) for style in styles.values()}) == 17
    assert styles["fgsm(epsilon=0.1)"].mark == "cross"
    assert set_styles([first])["test"] == styles["test"]


def test_sets_that_only_have_scores_have_a_style(contents) -> None:
    assert "noise" in set_styles([dataclasses.replace(contents, map=None)])
