import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Canvas

from drumlin.report.figures.margins import FunctionPanel, RegionPanel
from drumlin.report.palette import CLASSES

X = np.linspace(0, 180, 5)


def _axes(panel):
    axes = Canvas().add_subplot()
    panel.draw(axes)
    return axes


def test_functions_are_drawn_over_their_whole_axis_and_explained() -> None:
    panel = FunctionPanel("t", X, {"m = 1": X / 180, "m = 2": -X / 90}, ("θ", "ψ"))
    axes = _axes(panel)
    for line, values in zip(axes.lines, panel.curves.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
    assert axes.get_xlim() == (0, 180)
    assert [h.get_label() for h in panel.handles()] == ["m = 1", "m = 2"]
    assert [(h.get_color(), h.get_linestyle()) for h in panel.handles()] == [
        (line.get_color(), line.get_linestyle()) for line in axes.lines
    ]


def test_an_area_lies_where_its_class_counts_as_right() -> None:
    side = np.linspace(-1, 1, 21)
    x, _ = np.meshgrid(side, side)
    panel = RegionPanel("t", side, np.stack([x < -0.45, x > 0.25]), np.array([[-0.5, 0.0], [0.5, 0.5]]))
    axes = _axes(panel)
    left, right = (
        np.concatenate([p.vertices for p in area.get_paths() if len(p.vertices)]) for area in axes.collections
    )
    assert (left[:, 0].min(), left[:, 0].max() < -0.4) == (-1, True)
    assert (right[:, 0].min() > 0.2, right[:, 0].max()) == (True, 1)
    marks = [(line.get_xdata()[0], line.get_ydata()[0], to_hex(line.get_color())) for line in axes.lines]
    assert marks == [(-0.5, 0.0, CLASSES[0]), (0.5, 0.5, CLASSES[1])]
    assert [h.get_label() for h in panel.handles()] == ["class 0", "class 1"]
