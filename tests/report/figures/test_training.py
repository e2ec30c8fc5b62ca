import dataclasses

from drumlin.report.figures.training import ErrorCurves, LossCurves


def test_the_loss_and_its_terms(contents) -> None:
    figure = LossCurves.of(contents)
    assert figure is not None
    assert figure.series == {"loss": (3, 1.5, 1), "classification": (2, 1, 2 / 3), "likelihood": (1, 0.5, 1 / 3)}
    assert figure.layout()["yaxis"]["type"] == "log"
    assert len({(trace["line"]["color"]["$"], trace["line"]["dash"]) for trace in figure.traces()}) == 3


def test_one_term_is_the_loss_itself(contents) -> None:
    epochs = tuple({"epoch": e, "loss": 1 / e, "terms": {"classification": 1 / e}} for e in (1, 2))
    figure = LossCurves.of(dataclasses.replace(contents, epochs=epochs))
    assert figure is not None
    assert list(figure.series) == ["classification"]


def test_a_term_that_is_zero_or_missing_at_first(contents) -> None:
    epochs = ({"epoch": 1, "loss": 1.0, "terms": {"a": 1.0}}, {"epoch": 2, "loss": 1.0, "terms": {"a": 1.0, "b": 0.0}})
    figure = LossCurves.of(dataclasses.replace(contents, epochs=epochs))
    assert figure is not None
    assert figure.series["b"] == (None, 0.0)
    assert "type" not in figure.layout()["yaxis"]  # a logarithmic axis has no 0


def test_errors_without_a_hold_out(contents) -> None:
    epochs = tuple({"epoch": e, "train_error": 0.5, "holdout_error": None} for e in (1, 2))
    figure = ErrorCurves.of(dataclasses.replace(contents, epochs=epochs))
    assert figure is not None
    assert list(figure.series) == ["training images"]


def test_a_loss_that_is_not_finite_leaves_a_gap(contents) -> None:
    epochs = ({"epoch": 1, "loss": float("nan")}, {"epoch": 2, "loss": 2.0})
    figure = LossCurves.of(dataclasses.replace(contents, epochs=epochs))
    assert figure is not None
    assert figure.series["loss"] == (None, 2.0)


def test_no_log(contents) -> None:
    bare = dataclasses.replace(contents, epochs=())
    assert LossCurves.of(bare) is None
    assert ErrorCurves.of(bare) is None
