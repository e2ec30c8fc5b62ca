import pytest

from drumlin.settings.run import ScheduleSettings
from drumlin.training.schedules import SCHEDULES, rate_factor


def factors(total: int, **fields: object) -> list[float]:
    settings = ScheduleSettings(**fields)  # type: ignore[arg-type]
    return [rate_factor(settings, step, total) for step in range(total)]


def test_one_cycle_by_hand() -> None:
    # read at 1/8, 3/8, 5/8, 7/8; up until 1/4, then down to 0 at 1
    assert factors(4, warmup=0.25) == pytest.approx([0.5, (5 / 8) / 0.75, (3 / 8) / 0.75, (1 / 8) / 0.75])


def test_cosine_by_hand() -> None:
    # warm-up until 1/2; then half a cosine read at a quarter and three quarters of it
    expected = [0.25, 0.75, 0.5 + 0.5 * 2**-0.5, 0.5 - 0.5 * 2**-0.5]
    assert factors(4, name="cosine", warmup=0.5) == pytest.approx(expected)


def test_step_by_hand() -> None:
    expected = [1, 1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01]  # read at 0.05, 0.15, ...: milestones at 0.5 and 0.75
    assert factors(10, name="step", milestones=(0.5, 0.75)) == pytest.approx(expected)
    assert factors(4, name="step", milestones=(), factor=0.5) == [1, 1, 1, 1]


def test_exponential_by_hand() -> None:
    # read at 0.05, 0.15, ...: a period ends at 0.3, 0.6 and 0.9
    expected = [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]
    assert factors(10, name="exponential", factor=0.5, period=0.3) == pytest.approx(expected)
    assert factors(3, name="exponential", factor=0.5, period=1.0) == [1, 1, 1]


def test_exponential_decay_of_isomax() -> None:
    # I §4.1.1: 0.96 every 1000 steps; TensorFlow's stairs, 0.96 ** (step // 1000), over trainings of any length
    for total in (20_000, 21_050):
        settings = ScheduleSettings(name="exponential", factor=0.96, period=1000 / total)
        for step in (0, 999, 1000, 1001, 6_999, 7_000, 19_999):
            assert rate_factor(settings, step, total) == pytest.approx(0.96 ** (step // 1000))


def test_exponential_is_steps_at_even_milestones() -> None:
    even = factors(40, name="step", factor=0.94, milestones=(0.2, 0.4, 0.6, 0.8))
    assert factors(40, name="exponential", factor=0.94, period=0.2) == pytest.approx(even)


def test_constant() -> None:
    assert factors(3, name="constant") == [1, 1, 1]


@pytest.mark.parametrize("name", ["one-cycle", "cosine"])
def test_without_warm_up_the_rate_falls_from_the_start(name: str) -> None:
    values = factors(20, name=name, warmup=0.0)
    assert values[0] > 0.95
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("total", [1, 2, 7, 100])
def test_no_step_is_taken_at_rate_0_or_above_the_peak(name: str, total: int) -> None:
    assert all(0 < factor <= 1 for factor in factors(total, name=name))


@pytest.mark.parametrize("step", [-1, 4])
def test_a_step_outside_the_training(step: int) -> None:
    with pytest.raises(ValueError, match=rf"step must lie in 0\.\.3, got {step}"):
        rate_factor(ScheduleSettings(), step, 4)


def test_an_unknown_schedule() -> None:
    settings = ScheduleSettings(name="cosin")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"unknown schedule 'cosin': did you mean 'cosine'"):
        rate_factor(settings, 0, 4)
