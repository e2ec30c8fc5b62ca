import dataclasses

from drumlin.report.figures.training import CenterLossCurve, ErrorCurves, LossCurves


def test_the_loss_and_its_terms(contents) -> None:
    figure = LossCurves.of(contents)
    assert figure is not None
    assert figure.series == {
        "loss": ((1, 3), (2, 1.5), (3, 1)),
        "classification": ((1, 2), (2, 1), (3, 2 / 3)),
        "likelihood": ((1, 1), (2, 0.5), (3, 1 / 3)),
    }
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
    assert figure.series["b"] == ((2, 0.0),)
    assert "type" not in figure.layout()["yaxis"]  # a logarithmic axis has no 0


def test_labels_of_more_than_a_decade_do_not_overlap(contents) -> None:
    def axis(*errors: float) -> dict[str, object]:
        epochs = tuple({"epoch": e, "train_error": error} for e, error in enumerate(errors, 1))
        figure = ErrorCurves.of(dataclasses.replace(contents, epochs=epochs))
        assert figure is not None
        return figure.layout()["yaxis"]

    assert axis(0.5, 0.01)["dtick"] == "D2"
    assert "dtick" not in axis(0.5, 0.3), "of 1, 2 and 5 there may be none within"
    assert "dtick" not in axis(0.5, 0.0), "a linear axis"


def test_errors_without_a_hold_out(contents) -> None:
    epochs = tuple({"epoch": e, "train_error": 0.5, "holdout_error": None} for e in (1, 2))
    figure = ErrorCurves.of(dataclasses.replace(contents, epochs=epochs))
    assert figure is not None
    assert list(figure.series) == ["training images"]


def test_what_was_measured_of_features_after_some_epochs(contents) -> None:
    epochs = (
        {"epoch": 1, "train_error": 0.5, "holdout_error": 0.4},
        {"epoch": 2, "train_error": 0.3, "holdout_error": 0.2, "probe": {"neighbour_error": 0.1, "center_loss": None}},
        {"epoch": 3, "train_error": 0.3, "holdout_error": 0.2, "probe": {"neighbour_error": 0.05, "center_loss": 2.5}},
    )
    run = dataclasses.replace(contents, epochs=epochs)
    errors, center = ErrorCurves.of(run), CenterLossCurve.of(run)
    assert errors is not None
    assert errors.series["hold-out, by 5 nearest neighbours"] == ((2, 0.1), (3, 0.05))
    assert center is not None
    assert center.series == {"hold-out": ((2, None), (3, 2.5))}
    assert CenterLossCurve.of(contents) is None
    plain = ErrorCurves.of(contents)
    assert plain is not None
    assert len(plain.series) == 2


def test_what_was_measured_within_an_epoch_stands_between_the_epochs(contents) -> None:
    within = [{"steps": 2, "holdout_error": 0.6, "probe": {"center_loss": 3.0}}]
    epochs = (
        {
            "epoch": 1,
            "steps": 8,
            "train_error": 0.5,
            "holdout_error": 0.4,
            "loss": 2.0,
            "terms": {"a": 2.0},
            "within": within,
        },
        {"epoch": 2, "steps": 16, "train_error": 0.3, "holdout_error": 0.2, "loss": 1.0, "terms": {"a": 1.0}},
    )
    run = dataclasses.replace(contents, epochs=epochs)
    errors, center, loss = ErrorCurves.of(run), CenterLossCurve.of(run), LossCurves.of(run)
    assert errors is not None
    assert center is not None
    assert loss is not None
    assert errors.series == {"training images": ((1, 0.5), (2, 0.3)), "hold-out": ((0.25, 0.6), (1, 0.4), (2, 0.2))}
    assert center.series == {"hold-out": ((0.25, 3.0),)}
    assert loss.series == {"a": ((1, 2.0), (2, 1.0))}
    assert [(trace["name"], trace["mode"]) for trace in errors.traces()] == [
        ("training images", "lines+markers"),
        ("hold-out", "lines"),
    ], "a line of one or two points needs dots to be seen"
    assert errors.layout()["xaxis"]["dtick"] == 1, "a mark an epoch, however many points there are"
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    errors.draw(axes)
    drawn = [line.get_xydata().tolist() for line in axes.lines]
    assert drawn == [[[1, 0.5], [2, 0.3]], [[0.25, 0.6], [1, 0.4], [2, 0.2]]]


def test_a_loss_that_is_not_finite_leaves_a_gap(contents) -> None:
    epochs = ({"epoch": 1, "loss": float("nan")}, {"epoch": 2, "loss": 2.0})
    figure = LossCurves.of(dataclasses.replace(contents, epochs=epochs))
    assert figure is not None
    assert figure.series["loss"] == ((1, None), (2, 2.0))


def test_no_log(contents) -> None:
    bare = dataclasses.replace(contents, epochs=())
    assert LossCurves.of(bare) is None
    assert ErrorCurves.of(bare) is None
