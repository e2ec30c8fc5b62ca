"""PGD on classifier and detector by turns."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from drumlin.attacks import PGD, OrthogonalPGD, sweep_weights
from drumlin.attacks.orthogonal_pgd import _Best, _without
from drumlin.features import feature_set


def density(features, classes):
    """A score that falls where the loss grows, too: distance to the origin of feature space."""
    return features.z.square().sum(1)


def attacked(attack, classifier, images, score=density, seed=0, **others):
    x, y = images
    result = attack(classifier, x, y, score=score, generator=torch.Generator().manual_seed(seed), **others)
    with torch.no_grad():
        return result, score(feature_set(classifier, result.x), None)


def test_what_is_left_is_orthogonal_and_the_parallel_is_kept_whole():
    own, other = torch.randn(5, 1, 4, 4), torch.randn(5, 1, 4, 4)
    rest = _without(own, other)
    assert (rest * other).flatten(1).sum(1).abs().max() < 1e-5
    taken = (own - rest).flatten(1)
    assert (F.cosine_similarity(taken, other.flatten(1)).abs() - 1).abs().max() < 1e-5
    torch.testing.assert_close(_without(own, -3 * own), own)
    torch.testing.assert_close(_without(own, torch.zeros_like(own)), own)
    tiny = 1e-25 * other
    torch.testing.assert_close(_without(own, tiny), rest)


def test_the_path_by_hand(linear):
    """Two pixels: the first decides the class at 0.45, the score is the distance of the second from 0.4."""
    classifier = linear(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    classifier.head.linear.bias = torch.nn.Parameter(torch.tensor([0.45, 0.0]))
    x, y = torch.tensor([[[[0.5, 0.8]]]]), torch.tensor([1])

    def score(features, classes):
        return (features.z[:, 1] - 0.4).abs()

    attack = OrthogonalPGD(epsilon=0.2, step=0.01, steps=60)
    result = attack(classifier, x, y, score=score, generator=torch.Generator().manual_seed(3))
    assert result.success.tolist() == [True]
    first, second = result.x.flatten().tolist()
    assert second == pytest.approx(0.6)  # as far as the budget goes
    assert 0.3 <= first < 0.45
    assert result.iterations.tolist() == [120]


def test_the_class_is_reached_as_often_as_by_pgd_and_the_score_is_lower_than_where_pgd_ends(network, images):
    classifier = network("softmax")
    x, y = images
    plain = PGD(epsilon=0.2, steps=40)(classifier, x, y, generator=torch.Generator().manual_seed(0))
    unaware = density(feature_set(classifier, plain.x), None)
    assert plain.success.sum() > 6
    for orthogonal in (True, False):
        result, scores = attacked(OrthogonalPGD(epsilon=0.2, steps=40, orthogonal=orthogonal), classifier, images)
        assert result.success.sum() >= plain.success.sum()
        both = result.success & plain.success
        assert scores[both].mean() < 0.9 * unaware[both].mean()


def test_the_two_ways_differ(network, images):
    classifier = network("softmax")
    attack = OrthogonalPGD(epsilon=0.1, steps=10)
    ways = [attacked(dataclasses.replace(attack, orthogonal=way), classifier, images)[0].x for way in (True, False)]
    assert not torch.equal(*ways)


def test_a_score_that_is_the_loss_itself_leaves_nothing_orthogonal_and_is_still_attacked(network, images):
    classifier = network("softmax")
    x, y = images

    def loss(features, classes):
        return F.cross_entropy(features.logits, y, reduction="none")

    result, _ = attacked(OrthogonalPGD(epsilon=0.2, steps=40), classifier, images, score=loss)
    plain = PGD(epsilon=0.2, steps=40)(classifier, x, y, generator=torch.Generator().manual_seed(0))
    assert result.success.sum() >= plain.success.sum() - 1


def test_more_restarts_are_never_worse(network, images):
    classifier = network("gm")
    once, before = attacked(OrthogonalPGD(epsilon=0.05, steps=10), classifier, images)
    twice, after = attacked(OrthogonalPGD(epsilon=0.05, steps=10, restarts=3), classifier, images)
    assert not (once.success & ~twice.success).any()
    same = once.success == twice.success
    assert (after[same] <= before[same] + 1e-5).all()
    assert (after[same] < before[same] - 1e-3).any()
    assert twice.iterations.tolist() == [60] * len(images[0])


def test_towards_a_target_the_score_is_that_of_the_target(network, images):
    classifier = network("gm")
    x, y = images
    target = (y + 1) % 3
    asked = []

    def score(features, classes):
        asked.append(classes)
        return density(features, classes)

    OrthogonalPGD(epsilon=0.1, steps=2)(classifier, x, y, target=target, score=score)
    assert len(asked) == 3
    assert all(torch.equal(classes, target) for classes in asked)


def test_success_before_failure_before_the_score():
    best = _Best(torch.zeros(3, 1, 1, 1))
    ones = torch.ones(3, 1, 1, 1)
    best.offer(ones, torch.tensor([False, True, False]), torch.tensor([1.0, 9.0, 1.0]))
    best.offer(2 * ones, torch.tensor([True, False, False]), torch.tensor([5.0, 0.0, 1.0]))
    best.offer(3 * ones, torch.tensor([True, True, False]), torch.tensor([4.0, 9.0, 0.5]))
    assert best.x.flatten().tolist() == [3, 1, 3]
    assert best.reached.tolist() == [True, True, False]


def test_a_score_with_a_broken_gradient_is_refused(network, images):
    def broken(features, classes):
        return (features.z.square().sum(1) * 0).sqrt()  # 0 · ∞

    with pytest.raises(ValueError, match="gradient of the score by the images is not finite"):
        attacked(OrthogonalPGD(epsilon=0.1, steps=2), network("softmax"), images, score=broken)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epsilon": 1.5}, "epsilon"),
        ({"step": 0.0}, "step"),
        ({"steps": 0}, "steps"),
        ({"restarts": 0}, "restarts"),
        ({"loss": "l2"}, "loss"),
    ],
)
def test_settings_out_of_range(setting, message):
    with pytest.raises(ValueError, match=message):
        OrthogonalPGD(**setting)


def test_it_keeps_a_score_lower_than_weights_do_where_both_pull_apart(network, images):
    """A detector that wants logits to be certain of the true class: a weighted sum trades one for the other."""
    classifier = network("softmax")

    def score(features, classes):
        return 5 * features.z[:, 0] + features.logits.logsumexp(1)

    _, scores = attacked(OrthogonalPGD(epsilon=0.2, steps=60), classifier, images, score=score)
    x, y = images
    swept = sweep_weights(
        PGD(epsilon=0.2, steps=60), [0.0, 0.1, 1.0, 10.0], classifier, x, y, score=score,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    found, _ = attacked(OrthogonalPGD(epsilon=0.2, steps=60), classifier, images, score=score)
    both = found.success & swept.success
    assert both.any()
    assert scores[both].mean() <= swept.score[both].mean() + 0.5
