"""PGD on classifier and detector by turns."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from drumlin.attacks import PGD, OrthogonalPGD, sweep_weights
from drumlin.attacks.orthogonal_pgd import _Best, _Place, _without
from drumlin.features import feature_set
from drumlin.model import Classifier, InputSpec
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import head_settings


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
    rest = _without(own, other, 1e-4)
    assert (rest * other).flatten(1).sum(1).abs().max() < 1e-5
    assert F.cosine_similarity(rest.flatten(1), own.flatten(1)).min() > 0
    along = own / own.flatten(1).norm(dim=1)[:, None, None, None]
    torch.testing.assert_close(_without(own, -3 * own, 1e-4), along)
    torch.testing.assert_close(_without(own, torch.zeros_like(own), 1e-4), along)
    nearly = own + 1e-6 * other
    torch.testing.assert_close(_without(own, nearly, 1e-4), along)
    for factor in (1e-37, 1e-30, 1e30):
        torch.testing.assert_close(_without(own, factor * other, 1e-4), rest, atol=2e-3, rtol=0)
        torch.testing.assert_close(_without(factor * own, other, 1e-4), rest, atol=2e-3, rtol=0)
    assert not _without(torch.zeros_like(own), other, 1e-4).any()


def test_each_image_goes_the_way_that_it_needs():
    up, score = torch.tensor([[[[1.0, 0.0]]]] * 2), torch.tensor([[[[1.0, 1.0]]]] * 2)
    here = _Place(torch.tensor([False, True]), torch.zeros(2), up, score, 1e-4)
    half = 2**-0.5
    expected = torch.tensor([[[[0.5, -0.5]]], [[[0.0, -half]]]])  # neither moves the other
    torch.testing.assert_close(OrthogonalPGD()._direction(here), expected)
    torch.testing.assert_close(OrthogonalPGD(orthogonal=False)._direction(here), torch.cat([up[:1], -score[1:]]))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_gradients_that_are_parallel_but_for_rounding_are_followed_whole(precision):
    """Of two classes the loss is a function of the probability, as the score is."""
    torch.manual_seed(0)
    inputs = InputSpec(channels=1, size=(16, 16), mean=(0.5,), std=(0.25,))
    backbone = backbone_settings("fast-28", width=8)
    classifier = Classifier.create(backbone, head_settings("softmax"), ["a", "b"], inputs, precision=precision).eval()
    x = torch.rand(40, 1, 16, 16)
    y = classifier(x).argmax(1)

    def score(features, classes):
        return features.logits.softmax(1).amax(1)

    success = {}
    for orthogonal in (True, False):
        attack = OrthogonalPGD(epsilon=0.1, steps=10, orthogonal=orthogonal)
        success[orthogonal] = attack(
            classifier, x, y, score=score, generator=torch.Generator().manual_seed(0)
        ).success.sum()
    assert success[False] > 20
    assert success[True] >= 0.9 * success[False]


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
    """A detector that wants the true class's logit to be high: a weighted sum trades one for the other."""
    classifier = network("softmax")
    x, y = images

    def score(features, classes):
        return 5 * features.z[:, 0] + features.logits.logsumexp(1)

    result, scores = attacked(OrthogonalPGD(epsilon=0.2, steps=60), classifier, images, score=score)
    attack, generator = PGD(epsilon=0.2, steps=60), torch.Generator().manual_seed(0)
    swept = sweep_weights(attack, [0.0, 0.1, 1.0, 10.0], classifier, x, y, score=score, generator=generator)
    both = result.success & swept.success
    assert both.sum() > 6
    assert scores[both].mean() < swept.score[both].mean()


def test_a_flat_way_is_reported(network, images):
    """Untouched images that are wrong already go by the score, all others by the loss."""
    classifier = network("softmax")
    x, _ = images
    y = classifier(x).argmax(1)
    wrong = torch.arange(len(y)) < 5
    y = torch.where(wrong, (y + 1) % 3, y)

    def flat(features, classes):
        return features.z.sum(1) * 0

    result, _ = attacked(OrthogonalPGD(epsilon=1e-6, steps=2), classifier, (x, y), score=flat)
    assert torch.equal(result.zero_gradient, wrong)


def test_starts_are_random(network, images):
    ends = [
        attacked(OrthogonalPGD(epsilon=0.05, steps=1), network("softmax"), images, seed=seed)[0].x for seed in (0, 1)
    ]
    assert not torch.equal(*ends)
