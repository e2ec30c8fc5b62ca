import dataclasses

import pytest

from drumlin.report.measured.choices import across, by_epsilon, of_groups
from drumlin.results import Record


def record(anomaly: str | None) -> Record:
    return Record(
        run="r", recipe="x", task="robustness", data="mnist", split="test", head="gm", backbone="b", metric="error",
        value=0.5, unit="fraction", anomaly=anomaly, scale="cpu",
    )  # fmt: skip


def test_attacks_come_in_the_order_of_their_epsilon_not_of_their_words_or_records():
    names = [
        "fgsm(epsilon=0.5)",
        "fgsm(epsilon=0.03)",
        "fgsm(epsilon=1e-05)",
        "noise",
        "fgsm(epsilon=0.0103)",
        "fgsm(epsilon=0.1)",
    ]
    chosen = by_epsilon(list)([record(name) for name in names])
    assert [r.anomaly for r in chosen] == [
        "noise",
        "fgsm(epsilon=1e-05)",
        "fgsm(epsilon=0.0103)",
        "fgsm(epsilon=0.03)",
        "fgsm(epsilon=0.1)",
        "fgsm(epsilon=0.5)",
    ]


def test_rows_of_several_groups_keep_their_values_and_are_told_apart():
    rows = ["gm, net; k=1", "gm, net wide; k=1", "gm, net with cutout; k=1", "lgm, net; k=5", "softmax, other; k=1"]
    records = [dataclasses.replace(record(None), protocol=row, value=i / 10) for i, row in enumerate(rows)]
    choose = of_groups({"net with cutout": " with cutout", "net": ""}, across("robustness", "error"))
    assert [(r.head, r.anomaly, r.value) for r in choose(records)] == [
        ("gm with cutout", "k=1", 0.2),
        ("gm", "k=1", 0.0),
        ("lgm", "k=5", 0.3),
    ]


def test_what_tells_rows_apart_is_not_cut_off():
    with pytest.raises(ValueError, match=r"first comma, so none may be added to it: ' with cutout, twice as long'"):
        of_groups({"net": "", "net twice": " with cutout, twice as long"}, across("robustness", "error"))
