import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from drumlin.report.figures.curves import HistogramPanel, RocPanel
from drumlin.report.figures.panels import EmptyPanel, PanelFigure
from drumlin.report.files import write_figure


def _axes(panel):
    axes = Canvas().add_subplot()
    panel.draw(axes)
    return axes


def test_shares_of_every_set_sum_to_one_whatever_its_size_and_what_lies_beyond_is_in_the_outermost_bins() -> None:
    values = {"a": np.array([0.0, 0.5, 0.51, 7.0]), "b": np.array([-3.0])}
    axes = _axes(HistogramPanel("t", values, "p", (0.0, 1.0)))
    shares = [patch.get_data().values for patch in axes.patches]
    assert len(shares) == 4, "an area and an outline each"
    np.testing.assert_allclose([s.sum() for s in shares], 1)
    assert shares[0][[0, 25, 49]].tolist() == [0.25, 0.5, 0.25]
    assert shares[2][0] == 1
    assert axes.get_xlim() == (0.0, 1.0)


def test_all_values_are_spanned_where_nothing_else_is_said_even_if_they_are_one() -> None:
    assert _axes(HistogramPanel("t", {"a": np.array([1.0, 3.0]), "b": np.array([-2.0])}, "p")).get_xlim() == (-2.0, 3.0)
    assert _axes(HistogramPanel("t", {"a": np.ones(3)}, "p")).get_xlim() == (0.5, 1.5)


def test_sets_have_one_colour_in_all_panels_and_the_legend_names_them_once(tmp_path) -> None:
    panels = [HistogramPanel(str(i), {"normal": np.ones(2), "attacked": np.zeros(2)}, "p") for i in range(2)]
    figure = PanelFigure("f", [*panels, EmptyPanel("none", "the training diverged")], 3, "caption")
    canvas = Canvas()
    figure.save_to(canvas)
    (legend,) = canvas.legends
    assert [text.get_text() for text in legend.get_texts()] == ["normal", "attacked"]
    colours = [patch.get_facecolor()[:3] for patch in legend.get_patches()]
    drawn = [patch.get_facecolor()[:3] for patch in canvas.axes[1].patches[::2]]
    assert colours == drawn
    assert len(set(colours)) == 2
    assert {path.suffix for path in write_figure(figure, tmp_path)} == {".png", ".svg"}


def test_a_curve_is_that_of_its_scores() -> None:
    axes = _axes(RocPanel("t", {"perfect": (np.zeros(3), np.ones(2)), "half": (np.array([0.0, 2.0]), np.array([1.0]))}))
    perfect, half = axes.lines[2:]
    assert (0.0, 1.0) in set(zip(*map(list, perfect.get_data()), strict=True))
    assert list(zip(*map(list, half.get_data()), strict=True)) == [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (1.0, 1.0)]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["perfect", "half"]


@pytest.mark.parametrize("name", ["$x$", "a_b"])
def test_names_are_no_formulas(name: str) -> None:
    axes = _axes(RocPanel("t", {name: (np.zeros(2), np.ones(2))}))
    assert axes.get_legend().get_texts()[0].get_text().replace("\\", "") == name
