import pytest

from drumlin.tasks.convergence import convergence, first_near


def test_the_first_epoch_that_is_near_counts_and_not_the_last():
    assert first_near([0.5, 0.1, 0.3, 0.1]) == 1
    assert first_near([0.2]) == 0
    assert first_near([0.5, 0.111, 0.1]) == 2, "a tenth above is near, more is not"
    assert first_near([0.5, 0.0, 0.0]) == 1


def test_steps_are_those_at_the_end_of_that_epoch(subject):
    one = subject("gm")
    errors = [epoch["holdout_error"] for epoch in one.run.history]
    (record,) = convergence(one).records
    expected = one.run.history[first_near(errors)]["steps"]
    assert (record.metric, record.value, record.split, record.unit) == ("steps", expected, "holdout", "steps")


def test_what_was_measured_within_an_epoch_counts(subject, monkeypatch):
    one = subject("gm")
    history = [
        {"epoch": 1, "steps": 10, "holdout_error": 0.3, "within": [{"steps": 4, "holdout_error": 0.5}]},
        {"epoch": 2, "steps": 20, "holdout_error": 0.1, "within": [{"steps": 14, "holdout_error": 0.11}]},
    ]
    monkeypatch.setattr(type(one.run), "history", history)
    (record,) = convergence(one).records
    assert (record.value, record.protocol) == (14, "looked at every 4 steps")


def test_without_a_holdout_there_is_nothing_to_tell_it_by(subject, monkeypatch):
    one = subject("gm")
    blind = [epoch | {"holdout_error": None} for epoch in one.run.history]
    monkeypatch.setattr(type(one.run), "history", blind)
    with pytest.raises(ValueError, match="nothing was held out"):
        convergence(one)
