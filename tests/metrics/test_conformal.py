import numpy as np
import pytest

from drumlin.metrics.conformal import p_values

INF, NAN = float("inf"), float("nan")


def test_ties_count_as_at_least_as_strange() -> None:
    assert p_values([1.0, 2.0, 2.0, 5.0], [2.0, 2.5, 5.0, 6.0, 0.0]).tolist() == [0.8, 0.4, 0.4, 0.2, 1.0]


def test_the_formula_counted_one_by_one() -> None:
    random = np.random.default_rng(0)
    held, fresh = np.sort(random.integers(0, 9, 31)).astype(float), random.integers(-1, 10, 50).astype(float)
    counted = [(1 + sum(s_i >= s for s_i in held)) / 32 for s in fresh]
    assert p_values(held, fresh).tolist() == counted


def test_infinite_scores_have_a_rank_and_nan_is_strangest_of_all() -> None:
    assert p_values([0.0, INF], [INF, NAN, -INF]).tolist() == [2 / 3, 1 / 3, 1.0]


def test_no_fresh_scores_give_no_values() -> None:
    assert p_values([1.0], []).shape == (0,)


@pytest.mark.parametrize("held", [[], [[1.0]]])
def test_held_out_scores_of_another_shape_are_refused(held: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one score, not of shape"):
        p_values(held, [1.0])


@pytest.mark.parametrize("held", [[2.0, 1.0], [NAN], [1.0, NAN]])
def test_held_out_scores_out_of_order_are_refused(held: list[float]) -> None:
    with pytest.raises(ValueError, match="in ascending order and without NaN"):
        p_values(held, [1.0])
