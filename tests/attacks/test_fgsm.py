import math

import pytest
import torch

from drumlin.attacks import FGSM
from drumlin.detectors import Energy, KDensity
from drumlin.features import FeatureRequest, feature_set


def test_a_linear_model_moves_by_epsilon_against_the_sign_of_its_weights(linear):
    w = torch.tensor([0.5, -2.0, 1e-3, 0.0])
    classifier = linear(torch.stack([-w, w]))
    x = torch.full((2, 1, 2, 2), 0.5)
    result = FGSM(epsilon=0.125)(classifier, x, torch.tensor([1, 0]))
    step = 0.125 * w.sign().reshape(1, 2, 2)
    assert torch.equal(result.x, x + torch.stack([-step, step]))
    assert result.linf.tolist() == [0.125, 0.125]
    assert result.zero_gradient.tolist() == [False, False]  # though one pixel's is zero
    assert result.l2.tolist() == pytest.approx([0.125 * math.sqrt(3 / 4)] * 2)  # one pixel of four does not move


def test_the_least_epsilon_that_fools_a_linear_model(linear):
    # logit difference 2 w·(x − ½): (0.1, 0.1)·(2, 1)·2 = 0.6 above; each ε takes off 2 ε (2 + 1)
    w = torch.tensor([2.0, 1.0])
    x = torch.tensor([[[[0.6, 0.6]]]])
    classifier = linear(torch.stack([-w, w]))
    classifier.mean.fill_(0.5)
    y = torch.tensor([1])
    assert not bool(FGSM(epsilon=0.099)(classifier, x, y).success)
    assert bool(FGSM(epsilon=0.101)(classifier, x, y).success)


def test_targeted_goes_towards_the_target(linear):
    classifier = linear(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    x = torch.tensor([[[[0.9, 0.5]]]])
    result = FGSM(epsilon=0.25)(classifier, x, torch.tensor([0]), target=torch.tensor([1]))
    torch.testing.assert_close(result.x, torch.tensor([[[[0.65, 0.75]]]]))
    assert bool(result.success)


def test_success_of_a_targeted_attack_is_the_target_not_any_error(linear):
    classifier = linear(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    x = torch.tensor([[[[0.9, 0.5]]]])
    y = torch.tensor([1])  # misclassified already: as 0
    assert bool(FGSM(epsilon=0.0)(classifier, x, y).success)
    assert not bool(FGSM(epsilon=0.0)(classifier, x, y, target=torch.tensor([2])).success)
    assert bool(FGSM(epsilon=0.0)(classifier, x, y, target=torch.tensor([0])).success)


def test_zero_epsilon_changes_nothing(network, images):
    x, y = images
    result = FGSM(epsilon=0.0)(network(), x, y)
    assert torch.equal(result.x, x)
    assert result.l2.tolist() == result.linf.tolist() == [0.0] * 12


@pytest.mark.parametrize("head", ["softmax", "gm", "lgm"])
def test_foolbox_agrees_bit_for_bit(network, images, head):
    foolbox = pytest.importorskip("foolbox")
    classifier = network(head)
    x, y = images
    model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    theirs, _, success = foolbox.attacks.LinfFastGradientAttack()(model, x, y, epsilons=0.1)
    ours = FGSM(epsilon=0.1)(classifier, x, y)
    assert torch.equal(ours.x, theirs)
    assert torch.equal(ours.success, success)


def test_foolbox_agrees_on_targets(network, images):
    foolbox = pytest.importorskip("foolbox")
    classifier = network("gm")
    x, y = images
    target = (y + 1) % 3
    model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.LinfBasicIterativeAttack(rel_stepsize=1.0, steps=1)
    theirs, _, success = attack(model, x, foolbox.criteria.TargetedMisclassification(target), epsilons=0.1)
    ours = FGSM(epsilon=0.1)(classifier, x, y, target=target)
    assert torch.equal(ours.x, theirs)
    assert torch.equal(ours.success, success)


def test_the_heads_own_loss_has_its_margin(network, images):
    """With margin α the gradient is that of (p_y (1+α) ...) by hand: autograd on the formula, written out."""
    classifier = network("gm", margin=2.0, likelihood_weight=0.3)
    head = classifier.head
    x, y = images
    leaf = x.clone().requires_grad_()
    z = classifier.features(leaf)
    d = 0.5 * (z[:, None] - head.means[None]).square().sum(2)
    own = torch.nn.functional.one_hot(y, 3).bool()
    classification = torch.nn.functional.cross_entropy(-torch.where(own, 3 * d, d), y, reduction="none")
    (gradient,) = torch.autograd.grad((classification + 0.3 * 2 * d.mean(1)).sum(), leaf)
    result = FGSM(epsilon=0.05, loss="head")(classifier, x, y)
    expected = (x + 0.05 * gradient.sign()).clamp(0, 1)
    torch.testing.assert_close(result.x, expected)
    assert not torch.allclose(FGSM(epsilon=0.05)(classifier, x, y).x, expected)


def test_the_heads_own_loss_leaves_its_warm_up_where_it_was(network, images):
    x, y = images
    classifier = network("gm", margin=2.0, warmup_steps=10)
    classifier.head.step.fill_(5)
    first = FGSM(loss="head", batch_size=2)(classifier, x, y)
    assert int(classifier.head.step) == 5
    assert not classifier.head.training
    second = FGSM(loss="head", batch_size=12)(classifier, x, y)  # a counter that ran would have made margins differ
    torch.testing.assert_close(first.x, second.x)
    classifier.head.step.fill_(0)  # margin and likelihood weight 0: plain cross entropy
    torch.testing.assert_close(FGSM(loss="head")(classifier, x, y).x, FGSM()(classifier, x, y).x)


def test_a_score_is_kept_low(network, images):
    x, y = images
    classifier = network("gm")
    detector = Energy().fit(feature_set(classifier, x))
    plain = FGSM(epsilon=0.02)(classifier, x, y)
    adaptive = FGSM(epsilon=0.02, score_weight=100.0)(classifier, x, y, score=detector.score)

    def score(images):
        return detector.score(feature_set(classifier, images)).mean().item()

    assert score(adaptive.x) < score(x) < score(plain.x)


def test_the_direction_is_that_of_the_loss_less_the_weighted_score(network, images):
    x, y = images
    classifier = network("softmax")
    detector = KDensity(bandwidth=1.0).fit(feature_set(classifier, x, y))
    leaf = x.clone().requires_grad_()
    features = feature_set(classifier, leaf)
    loss = torch.nn.functional.cross_entropy(features.logits, (y + 1) % 3, reduction="sum")
    goal = (y + 1) % 3  # the class that the image is to be a likely member of
    (gradient,) = torch.autograd.grad(-loss - 0.7 * detector.score(features, goal).sum(), leaf)
    result = FGSM(epsilon=0.05, score_weight=0.7)(classifier, x, y, target=(y + 1) % 3, score=detector.score)
    torch.testing.assert_close(result.x, (x + 0.05 * gradient.sign()).clamp(0, 1))


def test_the_score_sees_no_labels(network, images):
    x, y = images
    seen = []

    def score(features, classes):
        seen.append((features.y, classes, list(features.hidden), features.draws))
        return features.z.sum(1)

    FGSM()(network(), x, y, score=score)
    assert seen == [(None, None, [], None)]  # untargeted: conditioned on what is predicted


def test_the_score_gets_the_target_and_what_it_asks_for(network, images):
    x, y = images
    seen = []

    def score(features, classes):
        seen.append((classes.tolist(), list(features.hidden), features.draws.shape))
        return features.z.sum(1) + features.hidden["trunk"].sum(1) + features.draws.sum((0, 2))

    request = FeatureRequest(("trunk",), draws=2)
    FGSM()(network(backbone_dropout=0.5), x, y, target=(y + 1) % 3, score=score, request=request)
    assert seen == [(((y + 1) % 3).tolist(), ["trunk"], (2, 12, 3))]


def test_margin_loss_by_hand_and_whatever_the_scale(linear):
    w = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.5, 3.0]])
    x, y = torch.full((2, 1, 1, 2), 0.5), torch.tensor([0, 2])
    # logits 0.5, 1.0, 1.75: of class 0 the margin climbs along w_2 - w_0, of class 2 along w_1 - w_2
    expected = torch.tensor([[-0.1, 0.1], [-0.1, -0.1]])
    for scale in (1.0, 1e4):
        result = FGSM(epsilon=0.1, loss="margin")(linear(w * scale), x, y)
        torch.testing.assert_close((result.x - x).flatten(1), expected)
        assert not result.zero_gradient.any()
    assert FGSM(epsilon=0.1)(linear(w * 1e4), x, y).zero_gradient.any()  # where cross entropy is saturated


def test_epsilon_out_of_range():
    for epsilon in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"epsilon must lie in \[0, 1\], got"):
            FGSM(epsilon=epsilon)
