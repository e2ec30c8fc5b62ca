from collections.abc import Callable
from pathlib import Path

import pytest

from drumlin.recipes.feature_space import measure, show
from drumlin.results import Record
from drumlin.settings.run import RunSettings
from drumlin.tasks.base import Subject
from drumlin.training import Run, train


def _record(task: str, metric: str, value: float, protocol: str, unit: str = "ratio", **others: object) -> Record:
    facts = {"run": f"{protocol}{others.get('seed', 0)}", "data": "d", "split": "test", "seed": 0} | others
    return Record(task=task, metric=metric, value=value, unit=unit, protocol=protocol, **facts)


def test_a_table_each_with_a_line_a_row_and_published_values_in_parentheses() -> None:
    records = [
        _record("convergence", "steps", 300.0, "gm, 2-D", "steps"),
        _record("convergence", "steps", 500.0, "gm, 2-D", "steps", seed=1),
        _record("neighbours", "accuracy", 0.9, "gm, 2-D; k=5, features as they are", "fraction", published=0.8919),
        _record("clusters", "nmi", 0.75, "gm, 2-D; ward, geometric mean", published=0.7541),
        _record("clusters", "ami", 0.7, "gm, 2-D; ward, arithmetic mean"),
        _record("geometry", "mean-distance", 2.5, "gm, 2-D", "feature units", published=2.725),
        _record("geometry", "mean-distance", 8.0, "softmax, 2-D", "feature units"),
        _record("geometry", "kurtosis-ratio", 1.0, "gm, 2-D; Mardia"),
    ]
    shown = show(records)
    assert "Steps to converge\n\n| head | steps |\n| --- | --- |\n| gm, 2-D | 400 ± 141 |" in shown
    assert "| head | k=5, features as they are |\n| --- | --- |\n| gm, 2-D | 90.00 (89.19) |" in shown
    assert "| head | ward, geometric mean |\n| --- | --- |\n| gm, 2-D | 0.750 (0.754) |" in shown
    assert "| gm, 2-D | 2.500 (2.725) |\n| softmax, 2-D | 8.000 |" in shown
    assert "ami" not in shown
    assert "Mardia" not in shown


def test_what_was_not_measured_has_no_table() -> None:
    assert show([_record("classification", "error", 0.1, "gm, 2-D", "fraction")]) == ""


@pytest.mark.parametrize("holdout", [0.0, 0.2])
def test_steps_to_converge_are_told_where_something_was_held_out(
    small: Callable[..., RunSettings], tmp_path: Path, holdout: float
) -> None:
    train(small("softmax", "digits:0-2", 0, holdout, epochs=1), tmp_path)
    found = [record.task for result in measure(Subject(Run(tmp_path))) for record in result.records]
    always = ["classification", "geometry", "neighbours", "clusters"]
    assert list(dict.fromkeys(found)) == (always[:2] + ["convergence"] * (holdout > 0) + always[2:])
