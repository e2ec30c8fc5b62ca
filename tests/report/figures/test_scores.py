"""Histogram, ROC curves and trade-off: figures of the scores."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from drumlin.report.contents import Kind, RunContents
from drumlin.report.figures.histogram import ScoreHistogram
from drumlin.report.figures.roc import RocCurves
from drumlin.report.figures.tradeoff import TradeOff
from drumlin.report.palette import set_styles


@pytest.fixture
def scored(run_writer: Callable[..., object]) -> Callable[..., RunContents]:
    """Make a run with chosen scores of two detectors; k-density is calibrated on 0 to 98, at ten in a hundred."""

    def make(**scores: np.ndarray) -> RunContents:
        writer = run_writer()
        writer.sets = {name: Kind.TEST if name == "test" else Kind.UNKNOWN for name in scores}
        for name, values in scores.items():
            writer.scores |= {f"k-density/{name}": np.asarray(values, float), f"msp/{name}": np.asarray(values, float)}
        return writer.contents(frozenset({"evaluated", "calibrated", "detected"}))

    return make


def _histogram(run: RunContents, detector: str = "k-density") -> ScoreHistogram:
    figure = ScoreHistogram.of(run, detector, set_styles([run]))
    assert figure is not None
    return figure


def test_every_score_is_in_one_bin_those_beyond_in_the_outermost(scored) -> None:
    test = np.append(np.linspace(0, 50, 398), [1e9, np.inf])
    figure = _histogram(scored(test=test, noise=np.linspace(40, 120, 400)))
    assert [shares.sum() for shares in figure.shares.values()] == pytest.approx([1, 1])
    assert figure.edges[-1] < 1e9
    assert figure.shares["test"][-1] == pytest.approx(2 / 400)


def test_shares_are_those_of_the_bins(scored) -> None:
    figure = _histogram(scored(test=np.arange(100.0), noise=np.arange(100.0, 200)))
    counted = [
        np.sum((np.arange(100) >= low) & (np.arange(100) < high))
        for low, high in zip(figure.edges, figure.edges[1:], strict=False)
    ]
    np.testing.assert_allclose(figure.shares["test"], np.array(counted) / 100)


def test_the_threshold_belongs_to_the_calibrated_score_alone(scored) -> None:
    run = scored(test=np.arange(100.0), noise=np.arange(100.0, 200))
    assert _histogram(run).threshold == run.calibration.threshold == 89
    assert _histogram(run, "msp").threshold is None
    assert "refused" in str(_histogram(run).layout())
    assert "refused" not in str(_histogram(run, "msp").layout())


def test_few_scores_make_few_bins_and_equal_ones_a_picture(scored) -> None:
    figure = _histogram(scored(test=np.zeros(4), noise=np.zeros(4)), "msp")
    assert len(figure.edges) == 21
    assert (np.diff(figure.edges) > 0).all()


def test_the_outline_starts_and_ends_beneath_the_picture(scored) -> None:
    figure = _histogram(scored(test=np.arange(100.0), noise=np.arange(100.0, 200)))
    floor = 10 ** figure.layout()["yaxis"]["range"][0]
    for trace in figure.traces():
        assert len(trace["x"]) == len(trace["y"]) == 2 * len(figure.edges)
        assert trace["y"][0] < floor
        assert trace["y"][-1] < floor
        assert min(y for y in trace["y"] if y > floor) >= floor


def test_only_nan_is_no_figure(scored) -> None:
    run = scored(test=np.full(9, np.nan), noise=np.full(9, np.nan))
    assert ScoreHistogram.of(run, "msp", {}) is None
    assert RocCurves.of(run, "msp", {}) is None


def test_roc_by_hand(scored) -> None:
    run = scored(test=np.array([0.0, 1, 2, np.nan]), noise=np.array([1.0, 3]))
    figure = RocCurves.of(run, "msp", set_styles([run]))
    assert figure is not None
    assert figure.area == {"noise": 0.75}
    np.testing.assert_allclose(figure.curves["noise"], [[0, 0], [0, 0.5], [1 / 3, 0.5], [2 / 3, 1], [1, 1]])
    assert "noise (75%)" in str(figure.traces())


def test_a_long_roc_is_thinned_but_not_bent(scored) -> None:
    random = np.random.default_rng(0)
    test, noise = random.normal(0, 1, 5000), random.normal(1, 1, 5000)
    run = scored(test=test, noise=noise)
    figure = RocCurves.of(run, "msp", set_styles([run]))
    assert figure is not None
    curve = figure.curves["noise"]
    assert len(curve) <= 252
    assert curve[0].tolist() == [0, 0]
    assert curve[-1].tolist() == [1, 1]
    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(figure.area["noise"], abs=1e-4)


def test_roc_needs_test_images(scored) -> None:
    assert RocCurves.of(scored(noise=np.arange(9.0)), "msp", {}) is None


def test_trade_off_is_what_refusal_does_at_every_rate(scored) -> None:
    random = np.random.default_rng(0)
    run = scored(test=random.uniform(0, 100, 300), noise=random.uniform(50, 150, 300))
    figure = TradeOff.of(run, set_styles([run]))
    assert figure is not None
    for i in (0, 30, 77, len(figure.asked) - 1):
        conformal = dataclasses.replace(run.calibration, false_alarm=figure.asked[i] + 1e-12)
        for name, scores in run.scores["k-density"].items():
            assert figure.refused[name][i] == conformal.refuses(scores).mean()
    at = figure.asked.tolist().index(0.1)
    assert figure.point == {name: shares[at] for name, shares in figure.refused.items()}
    assert figure.asked[0] == pytest.approx(0.01)
    assert figure.refused["test"][-1] == 1


def test_the_calibrated_point_is_marked(scored) -> None:
    run = scored(test=np.arange(100.0), noise=np.arange(50.0, 150))
    figure = TradeOff.of(run, set_styles([run]))
    assert figure is not None
    markers = [trace for trace in figure.traces() if trace["mode"] == "markers"]
    assert [(trace["x"], trace["y"]) for trace in markers] == [([0.1], [0.1]), ([0.1], [0.6])]
    layout = figure.layout()
    assert layout["shapes"][0]["x0"] == 0.1
    assert layout["annotations"][0]["x"] == -1  # as plotly wants it on a logarithmic axis


def test_no_trade_off_without_calibration_or_scores_of_its_detector(scored) -> None:
    run = scored(test=np.arange(9.0), noise=np.arange(9.0))
    assert TradeOff.of(dataclasses.replace(run, calibration=None), {}) is None
    assert TradeOff.of(dataclasses.replace(run, scores={"msp": run.scores["msp"]}), {}) is None
