import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from drumlin.report.figures.distance_panels import DistanceHistogramPanel, DistancesPanel
from drumlin.report.figures.distances import Distances
from drumlin.report.figures.panels import PanelFigure
from drumlin.report.files import write_figure

PAIRS = np.array([2.0, 2.0, 2.5, 3.0])


def _axes(panel):
    axes = Canvas().add_subplot()
    panel.draw(axes)
    return axes


def test_every_pair_is_counted_once() -> None:
    axes = _axes(DistanceHistogramPanel("t", PAIRS, 2.7))
    counts = [patch.get_height() for patch in axes.patches]
    assert sum(counts) == 4
    (two,) = [p for p in axes.patches if p.get_x() <= 2.0 < p.get_x() + p.get_width()]
    assert two.get_height() == 2


def test_lines_are_at_the_mean_and_at_the_optimum_and_the_legend_explains_them() -> None:
    panel = DistanceHistogramPanel("t", PAIRS, 2.725)
    mean, optimum = _axes(panel).lines
    assert [line.get_xdata()[0] for line in (mean, optimum)] == [2.375, 2.725]
    assert [line.get_linestyle() for line in (mean, optimum)] == ["--", "-"], "as T draws them"
    assert [h.get_label() for h in panel.handles()] == ["mean of all pairs", "optimum of the loss"]


def test_without_an_optimum_there_is_no_line_for_it() -> None:
    panel = DistanceHistogramPanel("t", PAIRS, None)
    assert len(_axes(panel).lines) == len(panel.handles()) == 1


@pytest.mark.parametrize("optimum", [1.0, 9.0])
def test_an_optimum_far_from_all_distances_is_still_seen(optimum: float) -> None:
    low, high = _axes(DistanceHistogramPanel("t", PAIRS, optimum)).get_xlim()
    assert low < min(optimum, 2.0)
    assert max(optimum, 3.0) < high


def test_rounding_is_not_blown_up_to_a_spread() -> None:
    low, high = _axes(DistanceHistogramPanel("t", np.array([2.7, 2.7 + 1e-6]), 2.7)).get_xlim()
    assert high - low == pytest.approx(0.27, rel=1e-3)
    low, high = _axes(DistanceHistogramPanel("t", np.zeros(3), None)).get_xlim()
    assert low < 0 < high


def test_matrix_and_histogram_side_by_side(tmp_path) -> None:
    matrix = np.full((3, 3), 2.5)
    np.fill_diagonal(matrix, np.nan)
    distances = Distances(("a", "b", "c"), matrix, 2.7, 3, 2.5)
    panel = DistancesPanel("gm", distances)
    np.testing.assert_array_equal(np.asarray(_axes(panel).images[0].get_array())[0, 1], 2.5)
    figure = PanelFigure("f", [panel, DistanceHistogramPanel("h", PAIRS, 2.7)], 2, "")
    assert len(write_figure(figure, tmp_path)) == 2
