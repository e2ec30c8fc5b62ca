import warnings

import pytest

from drumlin.heads import GaussianMixtureHead, SoftmaxHead
from drumlin.training import train
from drumlin.training.divergence import warn_if_lost

GM, SOFTMAX = GaussianMixtureHead(10, 4), SoftmaxHead(10, 4)


def told(*errors: float, chance: float = 0.9, epochs: int = 5, head=GM) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_if_lost([{"train_error": error} for error in errors], chance, epochs, head)
    return [str(warning.message) for warning in caught]


def test_a_fall_to_guessing_is_told_in_the_epoch_it_happens():
    # GM on fast-32 at a rate of 3: the third epoch is almost at chance, the fourth is
    assert told(0.550, 0.432) == []
    assert told(0.550, 0.432, 0.861) == []
    (said,) = told(0.550, 0.432, 0.861, 0.8993)
    assert said.startswith("training error 89.9% in epoch 4, no better than naming the commonest class, after 43.2%")
    assert "has collapsed" in said
    assert "--optimizer.lr, --grad-clip 1, a longer warm-up of the head (--head.warmup-steps), or a --backbone" in said


def test_it_is_told_once_and_again_if_the_training_ends_so():
    assert told(0.55, 0.9, 0.9) == []
    (said,) = told(0.55, 0.9, 0.9, 0.9, 0.9)
    assert "that was the last epoch: nothing is learned" in said


def test_what_has_never_learned_is_told_at_the_end_only():
    assert told(0.9) == told(0.91, 0.9) == []
    assert "nothing is learned" in told(0.91, 0.90, epochs=2)[0]
    assert told(0.9, epochs=1) == []  # too short to say so


def test_slow_beginnings_recoveries_and_small_gains_are_no_collapse():
    assert told(0.9, 0.85, 0.9) == []  # 0.85 is within what an epoch at chance can have by luck
    assert told(0.9, 0.5, 0.88) == []
    assert told(0.9, 0.9, 0.5, epochs=3) == []


def test_chance_is_the_commonest_class():
    assert told(0.3, 0.3, chance=0.5, epochs=2) == []
    assert told(0.3, 0.3, chance=0.3, epochs=2) != []
    assert told(0.0, 0.0, chance=0.0, epochs=2) == []  # a single class: nothing can be guessed wrong


def test_a_head_without_warm_up_is_not_advised_to_have_a_longer_one():
    assert "warm-up" not in told(0.9, 0.9, epochs=2, head=SOFTMAX)[0]


def test_a_training_tells_that_it_has_learned_nothing(small, tmp_path):
    frozen = small("softmax", optimizer={"lr": 1e-12})
    with pytest.warns(UserWarning, match=r"in epoch 2, no better than .* nothing is learned; unless .*, try a lower"):
        train(frozen, tmp_path / "run")


def test_a_training_that_learns_has_no_warning(small, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(small("softmax"), tmp_path / "run")
