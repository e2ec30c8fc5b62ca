import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from drumlin.report.contents import Kind, RunContents
from drumlin.report.summary import main_detector, refused_shares, summary


@pytest.fixture
def measured(run_writer: Callable[..., object]) -> Callable[..., RunContents]:
    """Make a run with chosen scores; its calibration refuses scores above 89 (held-out scores 0 to 98, ten in a hundred)."""

    def make(parts: set[str] | None = None, **scores: list[float]) -> RunContents:
        writer = run_writer()
        writer.sets = {"training": Kind.TRAINING, "test": Kind.TEST, "noise": Kind.UNKNOWN, "photos": Kind.UNKNOWN}
        writer.scores = {f"k-density/{name}": np.array(values) for name, values in scores.items()}
        writer.n = 4
        return writer.contents(frozenset(parts if parts is not None else {"evaluated", "calibrated", "detected"}))

    return make


def test_the_sentence(measured) -> None:
    run = measured(test=[1.0, 2, 3, 95], noise=[95.0, 95, 95, 0], photos=[95.0, 0, 0, 0])
    assert summary(run) == [
        "It errs on 10% of test images (5% to 20%) and refuses 25% of good ones (you asked for 10%).",
        "It catches 75% of noise and 25% of photos.",
        "Weakest: 75% of photos slips through.",
    ]


def test_false_alarms_beyond_chance_are_said(measured) -> None:
    run = measured(test=[95.0] * 200, noise=[95.0] * 4, photos=[95.0] * 4)
    text = summary(run)
    assert text[1].startswith("That is more than chance explains (up to ")
    assert text[-1] == "No set was found that slips through in numbers; try it on what it will really meet."


def test_of_attacked_images_those_count_that_are_misread_and_accepted(run_writer) -> None:
    writer = run_writer()
    writer.sets = {"test": Kind.TEST, "noise": Kind.UNKNOWN, "fgsm": Kind.ATTACKED}
    writer.n = 10
    writer.scores = {
        "k-density/test": np.zeros(10),
        "k-density/noise": np.array([95.0] * 8 + [0.0] * 2),  # a fifth slips through
        "k-density/fgsm": np.zeros(10),  # all are accepted,
    }
    writer.record("robustness", "error", 0.1, anomaly="fgsm")
    run = writer.contents()
    assert run.map is not None
    points = next(points for points in run.map.sets if points.name == "fgsm")
    misread = np.where(np.arange(10) == 0, (points.label + 1) % 3, points.label)  # but one in eight drawn is misread
    sets = tuple(dataclasses.replace(p, prediction=misread) if p is points else p for p in run.map.sets)
    text = summary(dataclasses.replace(run, map=dataclasses.replace(run.map, sets=sets)))
    assert text[1] == "It catches 80% of noise and 0% of the images attacked by fgsm (which fools it in 10%)."
    assert text[2] == "Weakest: 20% of noise slips through."
    without_map = summary(dataclasses.replace(run, map=None))
    assert without_map[2] == "Weakest: 100% of fgsm is misread and accepted."


def test_nan_is_refused_and_said(measured) -> None:
    run = measured(test=[1.0, 2, 3, np.nan], noise=[0.0, 0, 0, 0], photos=[0.0] * 4)
    assert refused_shares(run)[0].value == 0.25
    assert summary(run)[-1] == (
        "Some scores are not a number (1 of test by k-density): figures leave them out, and a refusal refuses them."
    )


def test_what_is_missing_says_which_command(measured, run_writer) -> None:
    bare = run_writer("bare").contents(frozenset())
    text = " ".join(summary(bare))
    for command in ("evaluate", "calibrate", "detect"):
        assert f"run `drumlin {command} {bare.folder}" in text
    assert main_detector(bare) is None
    unmeasured = summary(run_writer("unmeasured").contents(frozenset({"evaluated", "calibrated"})))
    assert "run `drumlin detect" in unmeasured[-1]


def test_scores_of_another_detector_than_the_calibrated_one(run_writer) -> None:
    writer = run_writer()
    writer.scores = {"msp/test": np.zeros(4), "msp/noise": np.ones(4)}
    writer.sets = {}
    run = writer.contents(frozenset({"evaluated", "calibrated", "detected"}))
    assert refused_shares(run) == []
    assert "has not been measured since it was calibrated with k-density" in summary(run)[-1]
    assert main_detector(run) == "msp"


def test_an_uncalibrated_run_tells_how_well_its_score_separates(run_writer) -> None:
    writer = run_writer()
    for name, area in (("noise", 0.9), ("folder:a/b", 0.6)):
        writer.record("detection", "auroc", area, detector="k-density", anomaly=name)
    text = summary(writer.contents(frozenset({"evaluated", "detected"})))
    assert text[1].startswith("It cannot refuse yet: run `drumlin calibrate ")
    assert text[2] == (
        "Its k-density score ranks strange above good images, 50% being chance: folder:a/b with 60% and noise with 90%. "
        "Weakest: folder:a/b."
    )


def test_areas_of_a_model_that_has_not_learnt_its_classes_come_with_a_caution(run_writer) -> None:
    def text(error: float) -> str:
        writer = run_writer(f"errs-{error}")
        writer.record("detection", "auroc", 0.9, detector="k-density", anomaly="noise")
        writer.record("classification", "error", error)
        return " ".join(summary(writer.contents(frozenset({"detected"}))))

    assert "The model errs on 60% of the test images" in text(0.6)
    assert "The model errs on" not in text(0.4)
