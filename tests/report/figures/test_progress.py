import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Canvas

from drumlin.report.figures.panels import PanelFigure
from drumlin.report.figures.progress import ProgressPanel
from drumlin.report.files import write_figure

STEPS = np.array([10.0, 20.0, 30.0])
CURVES = {"m = 1": (STEPS, np.array([0.5, np.nan, 0.25])), "m = $2": (STEPS, np.array([0.75, 0.5, 0.5]))}


def _axes(panel):
    axes = Canvas().add_subplot()
    panel.draw(axes)
    return axes


def test_a_curve_has_its_steps_and_shares_and_a_gap_where_there_is_none() -> None:
    axes = _axes(ProgressPanel("t", CURVES, "error"))
    for line, (steps, shares) in zip(axes.lines, CURVES.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), steps)
        np.testing.assert_array_equal(line.get_ydata(), shares)
    assert (axes.get_xlim()[0], axes.get_ylim()[0]) == (0, 0)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "error")
    assert axes.yaxis.get_major_formatter()(0.25) == "25%"


def test_what_is_no_fraction_is_not_in_percent() -> None:
    axes = _axes(ProgressPanel("t", CURVES, "center loss", fraction=False))
    assert "%" not in axes.yaxis.get_major_formatter()(0.25)


def test_colour_and_dash_both_tell_trainings_apart_and_are_those_of_the_legend() -> None:
    panel = ProgressPanel("t", CURVES, "error")
    drawn = [(to_hex(line.get_color()), line.get_linestyle()) for line in _axes(panel).lines]
    assert len({colour for colour, _ in drawn}) == len({dash for _, dash in drawn}) == 2
    explained = panel.handles()
    assert [(to_hex(h.get_color()), h.get_linestyle()) for h in explained] == drawn
    assert [h.get_label() for h in explained] == ["m = 1", r"m = \$2"], "a dollar sign begins no formula"


def test_a_training_of_one_epoch_is_seen() -> None:
    (line,) = _axes(ProgressPanel("t", {"a": (np.array([3.0]), np.array([0.5]))}, "error")).lines
    assert line.get_marker() == "."


def test_panels_of_the_same_trainings_share_a_legend(tmp_path) -> None:
    panels = [ProgressPanel(title, CURVES, "error") for title in ("training images", "hold-out")]
    figure = PanelFigure("f", panels, 2, "")
    canvas = Canvas()
    figure.save_to(canvas)
    assert len(canvas.legends[0].get_texts()) == 2
    assert {path.suffix for path in write_figure(figure, tmp_path)} == {".png", ".svg"}
