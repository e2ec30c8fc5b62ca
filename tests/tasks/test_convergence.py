import pytest

from drumlin.tasks.convergence import convergence, epochs_to


def test_the_first_epoch_that_is_near_counts_and_not_the_last():
    assert epochs_to([0.5, 0.1, 0.3, 0.1]) == 2
    assert epochs_to([0.2]) == 1
    assert epochs_to([0.5, 0.111, 0.1]) == 3, "a tenth above is near, more is not"
    assert epochs_to([0.5, 0.0, 0.0]) == 2


def test_steps_are_those_at_the_end_of_that_epoch(subject):
    one = subject("gm")
    errors = [epoch["holdout_error"] for epoch in one.run.history]
    (record,) = convergence(one).records
    expected = one.run.history[epochs_to(errors) - 1]["steps"]
    assert (record.metric, record.value, record.split, record.unit) == ("steps", expected, "holdout", "steps")


def test_without_a_holdout_there_is_nothing_to_tell_it_by(subject, monkeypatch):
    one = subject("gm")
    blind = [epoch | {"holdout_error": None} for epoch in one.run.history]
    monkeypatch.setattr(type(one.run), "history", blind)
    with pytest.raises(ValueError, match="nothing was held out"):
        convergence(one)
