import numpy as np
from matplotlib.figure import Figure as Canvas

from drumlin.report.figures.sensitivity import SensitivityPanel

GONE = (np.nan, np.nan, np.nan)
CURVES = {"l2": np.array([(0.5, 0.25, 0.75), GONE]), "cosine": np.array([(0.75, 0.5, 1.0), (0.5, 0.5, 0.625)])}
PANEL = SensitivityPanel("t", (0.0, 0.001), CURVES, "α", "accuracy")


def _axes():
    axes = Canvas().add_subplot()
    PANEL.draw(axes)
    return axes


def test_a_point_has_its_interval_and_stands_near_its_value() -> None:
    axes = _axes()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.001"]
    assert (axes.get_xlabel(), axes.yaxis.get_major_formatter()(0.25)) == ("α", "25%")
    for drawn, numbers in zip(axes.containers, CURVES.values(), strict=True):
        line, _, (bars,) = drawn
        np.testing.assert_array_equal(line.get_ydata(), numbers[:, 0])
        np.testing.assert_allclose(line.get_xdata(), [0, 1], atol=0.1)
        ends = np.array([segment[:, 1] for segment in bars.get_segments() if len(segment)])
        whole = ~np.isnan(numbers[:, 0])
        np.testing.assert_allclose(ends[~np.isnan(ends).any(1)], numbers[whole, 1:])
    first, second = (drawn[0].get_xdata() for drawn in axes.containers)
    assert (first < second).all(), "intervals of two scores do not hide each other"


def test_the_legend_looks_like_the_curves() -> None:
    drawn = [(drawn[0].get_color(), drawn[0].get_marker()) for drawn in _axes().containers]
    assert [(h.get_color(), h.get_marker()) for h in PANEL.handles()] == drawn
    assert [h.get_label() for h in PANEL.handles()] == ["l2", "cosine"]
    assert len(set(drawn)) == 2
