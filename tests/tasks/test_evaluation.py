from collections.abc import Callable

import pytest

from drumlin.tasks import Subject
from drumlin.tasks.classification import classification
from drumlin.tasks.evaluation import evaluation

pytestmark = pytest.mark.slow


def test_a_run_is_evaluated_by_error_geometry_and_map(subject: Callable[[str], Subject]) -> None:
    made = subject("gm")
    results = dict(evaluation(made))
    assert list(results) == ["classification", "geometry", "map"]
    values = [(r.metric, r.value) for r in results["classification"].records]
    assert values == [(r.metric, r.value) for r in classification(made).records]
    assert {r.task for r in results["geometry"].records} == {"geometry"}
    assert {"index/training", "index/test"} <= results["map"].arrays.keys()


def test_what_takes_longer_is_measured_where_it_is_asked_for(subject: Callable[[str], Subject]) -> None:
    made = subject("gm")
    results = dict(evaluation(made, ["clusters", "neighbours"]))
    assert list(results) == ["classification", "geometry", "map", "clusters", "neighbours"]
    assert {r.task for name in ("clusters", "neighbours") for r in results[name].records} == {"clusters", "neighbours"}
    with pytest.raises(ValueError, match="unknown measurement 'neighbors': did you mean 'neighbours'"):
        evaluation(made, ["neighbors"])
