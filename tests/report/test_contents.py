import dataclasses

import numpy as np
import pytest
import torch

from drumlin.refusal import Conformal
from drumlin.report.contents import Calibration, Kind, point_p_values


@pytest.mark.parametrize("false_alarm", [0.05, 0.1, 0.29, 0.5])
def test_calibration_refuses_what_the_predictor_refuses(false_alarm: float) -> None:
    random = np.random.default_rng(1)
    held, fresh = random.integers(0, 40, 99).astype(float), np.append(random.integers(-2, 45, 200), [np.inf, np.nan])
    calibration, conformal = (
        Calibration("msp", false_alarm, np.sort(held)),
        Conformal(torch.from_numpy(held), false_alarm),
    )
    np.testing.assert_array_equal(calibration.refuses(fresh), ~conformal.accepts(torch.from_numpy(fresh)).numpy())
    assert calibration.threshold == conformal.threshold


def test_p_values_of_points_follow_their_index(contents) -> None:
    points = next(points for points in contents.map.sets if points.name == "noise")
    turned = dataclasses.replace(points, index=points.index[::-1].copy())
    expected = contents.calibration.p_values(contents.scores["k-density"]["noise"])[::-1]
    np.testing.assert_array_equal(point_p_values(contents, turned), expected)


def test_points_without_scores_have_no_p_value(contents) -> None:
    training = contents.map.sets[0]
    assert np.isnan(point_p_values(contents, training)).all()
    noise = next(points for points in contents.map.sets if points.name == "noise")
    beyond = dataclasses.replace(noise, index=noise.index + 1)  # scores of a smaller set: they are of other images
    assert np.isnan(point_p_values(contents, beyond)).all()
    assert np.isnan(point_p_values(dataclasses.replace(contents, calibration=None), noise)).all()


def test_without_a_map_what_robustness_was_measured_on_was_attacked(run_writer) -> None:
    writer = run_writer()
    writer.record("robustness", "error", 0.3, anomaly="fgsm(epsilon=0.1)")
    run = dataclasses.replace(writer.contents(), map=None)
    assert run.kind("fgsm(epsilon=0.1)") is Kind.ATTACKED
    assert run.kind("noise") is Kind.UNKNOWN
    assert run.anomalies[-1] == "fgsm(epsilon=0.1)"


def test_value_passes_over_records_without_a_number(run_writer) -> None:
    writer = run_writer()
    writer.record("robustness", "distortion", None)
    run = writer.contents()
    assert run.value(task="robustness") is None
    assert run.value(task="classification", metric="error").value == 0.1
