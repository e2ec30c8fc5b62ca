import dataclasses

import numpy as np
import pytest

from drumlin.report.contents import RunContents
from drumlin.report.figures.feature_map import MapFigure
from drumlin.report.palette import set_styles


def _figure(run: RunContents, most: int = 10_000) -> MapFigure:
    figure = MapFigure.of(run, set_styles([run]), most=most)
    assert figure is not None
    return figure


def test_what_is_kept_for_the_gallery_is_not_drawn(contents) -> None:
    assert [len(layer.index) for layer in _figure(contents).layers] == [38] * 5


def test_points_keep_their_facts_together(contents) -> None:
    for layer, points in zip(_figure(contents).layers, contents.map.sets, strict=True):
        np.testing.assert_array_equal(layer.index, points.index[points.drawn])
        np.testing.assert_array_equal(layer.views["lda"], points.views["lda"][points.drawn])
        np.testing.assert_array_equal(layer.thumbnails, points.thumbnails[points.drawn])


def test_refusal_is_that_of_the_calibration_and_unknown_for_training(contents) -> None:
    layers = {layer.name: layer for layer in _figure(contents).layers}
    expected = contents.calibration.refuses(contents.scores["k-density"]["noise"])[:38]
    np.testing.assert_array_equal(layers["noise"].refused, expected)
    assert layers["training"].refused is None


def test_fewer_points_are_a_share_of_every_set(contents) -> None:
    figure = _figure(contents, most=95)
    assert [len(layer.index) for layer in figure.layers] == [19] * 5
    assert "50% of the points" in figure.caption


@pytest.mark.parametrize(("variance", "drawn"), [(1.0, True), (1e4, False)])
def test_contours_that_do_not_fit_are_left_out_and_said(contents, variance: float, drawn: bool) -> None:
    views = {
        name: dataclasses.replace(view, covariance=view.covariance * variance)
        for name, view in contents.map.views.items()
    }
    figure = _figure(dataclasses.replace(contents, map=dataclasses.replace(contents.map, views=views)))
    assert figure.contours == {"pca": drawn, "lda": drawn}
    assert ("(σ = 100) are wider than the whole picture" in figure.caption) is not drawn


def test_the_density_is_that_of_two_dimensional_features(run_writer) -> None:
    writer = run_writer()
    writer.views = ("plane",)
    figure = _figure(writer.contents())
    assert figure.density is not None
    assert "log p(z)" in figure.caption
    assert "Two dimensions out of many" not in figure.caption


def test_no_map(contents) -> None:
    assert MapFigure.of(dataclasses.replace(contents, map=None), {}, most=10) is None
