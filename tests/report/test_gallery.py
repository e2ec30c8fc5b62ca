import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from drumlin.report.contents import Kind, RunContents
from drumlin.report.gallery import gallery, walls


@pytest.fixture
def run(run_writer: Callable[..., object]) -> RunContents:
    writer = run_writer(names=("cat", "dog"))
    writer.sets = {"test": Kind.TEST, "noise": Kind.UNKNOWN, "photos": Kind.UNKNOWN, "fgsm": Kind.ATTACKED}
    writer.n = 5
    # above 89 is refused
    writer.scores = {
        "k-density/test": np.array([1.0, 50, 97, 20, 60]),
        "k-density/noise": np.array([95.0, 30, 95, 10, 95]),
        "k-density/photos": np.array([5.0, 95, 95, 95, np.nan]),
        "k-density/fgsm": np.array([1.0, 2, 95, 4, 5]),
    }
    contents = writer.contents()
    assert contents.map is not None
    label = np.array([0, 1, 0, 1, 0])
    fixed = {
        "test": (label, np.array([0, 1, 1, 1, 0])),
        "fgsm": (label, np.array([0, 0, 1, 0, 0])),
        "noise": (np.full(5, -1), np.zeros(5, np.int64)),
        "photos": (np.full(5, -1), np.ones(5, np.int64)),
    }
    sets = tuple(
        dataclasses.replace(p, label=fixed[p.name][0], prediction=fixed[p.name][1], probability=np.full(5, 0.5))
        for p in contents.map.sets
    )
    return dataclasses.replace(contents, map=dataclasses.replace(contents.map, sets=sets))


def test_strangest_test_images_come_first_refused_or_not(run: RunContents) -> None:
    pictures = walls(run)[0].pictures
    assert [picture.caption for picture in pictures] == ["cat as “dog”", "cat", "dog", "dog", "cat"]
    assert [picture.score for picture in pictures][:2] == ["p = 0.03", "p = 0.4"]
    assert pictures[0].alt == "cat, of test, taken for dog with 50%, p = 0.03"


def test_unknown_images_that_passed_in_turn_the_most_familiar_first(run: RunContents) -> None:
    wall = walls(run)[1]
    assert wall.title == "Unknown images that passed"
    assert [picture.caption for picture in wall.pictures] == ["noise as “cat”", "photos as “dog”", "noise as “cat”"]
    assert [picture.score for picture in wall.pictures] == ["p = 0.9", "p = 0.95", "p = 0.7"]


def test_attacked_images_are_shown_if_they_are_misread_and_accepted(run: RunContents) -> None:
    assert [picture.caption for picture in walls(run)[2].pictures] == ["dog as “cat”", "dog as “cat”"]


def test_without_calibration_nothing_has_passed(run: RunContents) -> None:
    bare = dataclasses.replace(run, calibration=None)
    titles = [wall.title for wall in walls(bare)]
    assert titles == [
        "Strangest test images",
        "Unknown images that look least strange",
        "Attacked images that look least strange",
    ]
    assert len(walls(bare)[1].pictures) == 9  # all but the one whose score is no number
    assert all(picture.score == "" for wall in walls(bare) for picture in wall.pictures)


def test_images_whose_scores_are_those_of_another_set_are_not_shown(run: RunContents) -> None:
    short = {"k-density": {**run.scores["k-density"], "test": np.zeros(3)}}
    assert walls(dataclasses.replace(run, scores=short))[0].pictures == []


def test_an_empty_wall_says_none(run: RunContents) -> None:
    scores = {"k-density": {name: np.full(5, 99.0) for name in run.scores["k-density"]}}
    assert gallery(dataclasses.replace(run, scores=scores)).count("None.") == 2
