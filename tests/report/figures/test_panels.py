from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Canvas
from PIL import Image

from drumlin.report.contents import Density
from drumlin.report.figures.feature_map import DENSITY_DEPTH
from drumlin.report.figures.panels import DensityPanel, EmptyPanel, PanelFigure, PointsPanel
from drumlin.report.files import write_figure
from drumlin.report.palette import CLASSES, light

NAMES = tuple(f"class {k}" for k in range(12))


def _points(title: str = "Softmax\ntest error 1.00%", classes: tuple[int, ...] = (0, 0, 0, 1)) -> PointsPanel:
    return PointsPanel(title, np.array([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0], [0.0, 2.0]]), np.array(classes), NAMES)


def _density() -> DensityPanel:
    x, y = np.array([-1.0, 0.0, 1.0]), np.array([-2.0, 2.0])
    log = np.array([[-100.0, -1.0, -3.0], [0.5, -2.0, -9.0]])
    crosses = np.array([[0.5, 0.5], [0.0, 1.0]])
    return DensityPanel(
        "Likelihood", Density(x, y, log), "log p(z) (nats)", np.array([[-1.0, 0.0], [1.0, 0.0]]), crosses
    )


def _axes(panel):
    axes = Canvas().add_subplot()
    panel.draw(axes)
    return axes


def test_points_have_the_colour_of_their_class_and_grey_beyond_the_tenth() -> None:
    (drawn,) = _axes(_points(classes=(0, 9, 10, 11))).collections
    assert [to_hex(colour) for colour in drawn.get_facecolors()] == [
        CLASSES[0],
        CLASSES[9],
        light("muted"),
        light("muted"),
    ]
    np.testing.assert_array_equal(drawn.get_offsets(), _points().points)


def test_a_name_stands_at_a_point_of_its_own_class() -> None:
    """The median of a class on a circle lies inside, among nobody."""
    points = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    texts = _axes(PointsPanel("t", points, np.zeros(4, int), ("zero", "one"))).texts
    assert [(text.get_text(), text.get_position()) for text in texts] == [("zero", (0.0, 1.0))]


def test_both_axes_span_the_same_and_have_units() -> None:
    axes = _axes(_points())
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert right - left == pytest.approx(high - low)
    assert left < 0 < 4.9 < right
    assert axes.get_xlabel() == "feature 1 (feature units)"
    assert axes.get_ylabel() == "feature 2 (feature units)"


def test_points_that_are_all_one_can_be_drawn() -> None:
    axes = _axes(PointsPanel("t", np.ones((3, 2)), np.zeros(3, int), NAMES))
    assert axes.get_xlim()[0] < 1 < axes.get_xlim()[1]


def test_the_heat_map_ends_below_its_peak() -> None:
    axes = _axes(_density())
    heat = axes.collections[0]
    assert heat.get_clim() == (0.5 - DENSITY_DEPTH, 0.5)
    values = np.asarray(heat.get_array()).ravel()
    np.testing.assert_allclose(values, [0.5 - DENSITY_DEPTH, -1.0, -3.0, 0.5, -2.0, 0.5 - DENSITY_DEPTH])
    brightness = [np.mean(heat.cmap(heat.norm(value))[:3]) for value in (-4.0, -2.0, 0.5)]
    assert brightness == sorted(brightness), "higher is brighter"
    np.testing.assert_array_equal(np.stack(axes.lines[0].get_data(), 1), _density().crosses)
    (scale,) = axes.child_axes
    assert scale.get_ylabel() == "log p(z) (nats)"


def test_panels_are_lettered_and_share_a_legend() -> None:
    figure = PanelFigure("pair", [_points(), _points("Other"), EmptyPanel("Third", "the training diverged")], 2, "")
    canvas = Canvas()
    figure.save_to(canvas)
    titles = [axes.get_title() for axes in canvas.axes]
    assert titles == ["(a) Softmax\ntest error 1.00%", "(b) Other", "(c) Third"]
    assert [text.get_text() for text in canvas.legends[0].get_texts()] == list(NAMES[:10])
    assert [text.get_text() for text in canvas.axes[2].texts] == ["the training diverged"]
    assert figure.alt == "(a) Softmax, test error 1.00%; (b) Other; (c) Third"


def test_size_follows_rows_columns_and_the_scale_of_a_heat_map() -> None:
    one, pair = PanelFigure("f", [_points()], 1, ""), PanelFigure("f", [_points()] * 3, 2, "")
    assert (pair.rows, pair.width) == (2, 2 * one.width)
    assert pair.height > 1.8 * one.height
    assert PanelFigure("f", [_points(), _density()], 2, "").width == pair.width + DensityPanel.beside


def test_a_dollar_sign_begins_no_formula() -> None:
    panel = PointsPanel("a $x", _points().points, np.zeros(4, int), ("$x_", "b"))
    canvas = Canvas(figsize=(2, 2))
    PanelFigure("f", [panel], 1, "").save_to(canvas)
    canvas.draw_without_rendering()


def test_files_are_the_same_every_time(tmp_path: Path) -> None:
    figure = PanelFigure("maps", [_points(), _density()], 2, "")
    first = write_figure(figure, tmp_path / "new")
    assert [path.name for path in first] == ["maps.png", "maps.svg"]
    assert Image.open(first[0]).width > 800
    second = write_figure(figure, tmp_path, "other")
    assert [path.name for path in second] == ["other.png", "other.svg"]
    assert [path.read_bytes() for path in second] == [path.read_bytes() for path in first]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"figures cannot be written into .*file"):
        write_figure(PanelFigure("maps", [_points()], 1, ""), tmp_path / "file")
