"""Confusion and distances: figures of the classes."""

import dataclasses

import numpy as np
import pytest

from drumlin.report.contents import RunContents
from drumlin.report.figures.confusion import Confusion, Pair
from drumlin.report.figures.distances import Distances
from drumlin.results import Record


@pytest.fixture
def run(contents: RunContents) -> RunContents:
    confusion = np.array([[8, 2, 0], [0, 5, 5], [1, 0, 0]])
    distances = np.array([[0.0, 3, 4], [3, 0, 2], [4, 2, 0]])
    record = Record(
        run="r",
        task="geometry",
        data="d",
        split="train",
        metric="mean-distance",
        value=3.0,
        unit="feature units",
        published=2.7,
    )
    return dataclasses.replace(contents, confusion=confusion, distances=distances, records=(record,))


def test_the_most_frequent_errors(run: RunContents) -> None:
    figure = Confusion.of(run)
    assert figure is not None
    assert figure.pairs(2) == [Pair("dog", "owl", 5, 0.5), Pair("cat", "dog", 2, 0.2)]
    assert figure.pairs(9)[-1] == Pair("owl", "cat", 1, 1.0)
    assert len(figure.pairs(9)) == 3


def test_only_errors_are_coloured(run: RunContents) -> None:
    figure = Confusion.of(run)
    assert figure is not None
    errors = figure.traces()[-1]
    assert errors["z"] == [[None, 0.2, None], [None, None, 0.5], [1.0, None, None]]
    assert errors["text"] == [["", "2", ""], ["", "", "5"], ["1", "", ""]]
    assert errors["zmax"] == 1


def test_no_errors_at_all(run: RunContents) -> None:
    figure = Confusion.of(dataclasses.replace(run, confusion=np.diag([3, 4, 0])))
    assert figure is not None
    assert figure.pairs(5) == []
    assert figure.traces()[-1]["showscale"] is False
    assert figure.alt == "Confusion matrix of 3 classes."


def test_of_very_many_classes_those_with_most_errors_are_shown(run: RunContents) -> None:
    k = 300
    confusion = np.diag(np.full(k, 9))
    confusion[250, 7] = 3
    figure = Confusion.of(dataclasses.replace(run, confusion=confusion, class_names=tuple(map(str, range(k)))))
    assert figure is not None
    assert len(figure.names) == 120
    assert {"250", "7"} <= set(figure.names)
    assert figure.pairs(5) == [Pair("250", "7", 3, 0.25)]
    assert "Of 300 classes the 120 with most errors are shown" in figure.caption


def test_distances_against_the_optimum(run: RunContents) -> None:
    figure = Distances.of(run)
    assert figure is not None
    assert (figure.mean, figure.optimum) == (3, 2.7)
    trace = figure.traces()[0]
    place, colour = trace["colorscale"][1]
    assert trace["zmin"] + place * (trace["zmax"] - trace["zmin"]) == pytest.approx(2.7)  # the ground is the optimum
    assert colour == {"$": "panel"}
    assert trace["zmax"] == 4
    assert trace["z"][0] == [None, 3, 4]
    assert "Nearest are dog and owl, 2 apart." in figure.caption


def test_no_distance_is_below_zero(run: RunContents) -> None:
    figure = Distances.of(dataclasses.replace(run, distances=run.distances * 10))
    assert figure is not None
    assert figure.traces()[0]["zmin"] == 0
    assert figure.traces()[0]["colorscale"][1][0] == pytest.approx(2.7 / 40)


def test_distances_without_an_optimum_start_at_zero(run: RunContents) -> None:
    figure = Distances.of(dataclasses.replace(run, records=()))
    assert figure is not None
    trace = figure.traces()[0]
    assert (trace["zmin"], trace["zmax"], len(trace["colorscale"])) == (0, 4, 2)
    assert "optimum" not in figure.caption


def test_small_differences_are_not_blown_up(run: RunContents) -> None:
    even = 2.7 + 0.001 * (run.distances - 3)
    np.fill_diagonal(even, 0)
    figure = Distances.of(dataclasses.replace(run, distances=even))
    assert figure is not None
    trace = figure.traces()[0]
    assert trace["zmax"] - trace["zmin"] == pytest.approx(0.54)


def test_of_very_many_classes_the_nearest_are_shown(run: RunContents) -> None:
    k = 300
    distances = np.full((k, k), 5.0)
    distances[3, 280] = distances[280, 3] = 0.5
    np.fill_diagonal(distances, 0)
    figure = Distances.of(dataclasses.replace(run, distances=distances, class_names=tuple(map(str, range(k)))))
    assert figure is not None
    assert {"3", "280"} <= set(figure.names)
    assert "Of 300 classes the 120 that are nearest to another are shown" in figure.caption


@pytest.mark.parametrize("figure", [Confusion, Distances])
def test_nothing_to_draw(figure, run: RunContents) -> None:
    one = dataclasses.replace(run, confusion=np.ones((1, 1), int), distances=np.zeros((1, 1)))
    none = dataclasses.replace(run, confusion=None, distances=None)
    assert figure.of(one) is None
    assert figure.of(none) is None


def test_distances_that_are_not_finite_are_not_drawn(run: RunContents) -> None:
    assert Distances.of(dataclasses.replace(run, distances=np.full((3, 3), np.nan))) is None
