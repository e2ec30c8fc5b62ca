"""BIM, ILCM and PGD."""

import pytest
import torch

from drumlin.attacks import BIM, FGSM, ILCM, PGD, Objective, least_probable
from drumlin.attacks._streams import Streams


def test_a_linear_model_is_climbed_to_the_edge_of_the_budget(linear):
    w = torch.tensor([0.5, -2.0, 1e-3, 0.0])
    x, y = torch.full((1, 1, 2, 2), 0.5), torch.tensor([1])
    classifier = linear(torch.stack([-w, w]))
    for steps, moved in ((1, 0.0625), (3, 0.1875), (4, 0.25), (9, 0.25)):
        result = BIM(epsilon=0.25, step=0.0625, steps=steps)(classifier, x, y)
        assert torch.equal(result.x, x - moved * w.sign().reshape(1, 2, 2))
        assert result.iterations.tolist() == [steps]


def test_it_turns_around_where_the_gradient_does():
    """Steps that overshoot come back: the projected path of |x − 0.4|, by hand: 0.5, 0.4 + rounding, then to and fro."""
    from torch import nn

    from drumlin.model import Classifier

    class Valley(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(1, 2, bias=False)
            self.linear.weight = nn.Parameter(torch.tensor([[0.0], [1.0]]))

        def forward(self, x):
            return self.linear((x.flatten(1) - 0.375).abs())

    classifier = Classifier.wrap(Valley(), "linear", channels=1)
    x, y = torch.full((1, 1, 1, 1), 0.5), torch.tensor([1])  # class 1's logit is made small
    path = [
        float(BIM(epsilon=0.5, step=0.0625, steps=steps, loss="margin")(classifier, x, y).x) for steps in (1, 2, 3, 4)
    ]
    assert path == [0.4375, 0.375, 0.375, 0.375]  # at the bottom the gradient is 0
    path = [float(BIM(epsilon=0.5, step=0.1, steps=steps, loss="margin")(classifier, x, y).x) for steps in (1, 2, 3, 4)]
    assert path == pytest.approx([0.4, 0.3, 0.4, 0.3])


def test_one_whole_step_is_fgsm(network, images):
    x, y = images
    classifier = network("gm")
    for loss in ("ce", "margin", "head"):
        single = FGSM(epsilon=0.05, loss=loss)(classifier, x, y)
        assert torch.equal(BIM(epsilon=0.05, step=0.05, steps=1, loss=loss)(classifier, x, y).x, single.x)


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("head", ["softmax", "gm", "lgm"])
def test_foolbox_agrees(network, images, head, targeted):
    foolbox = pytest.importorskip("foolbox")
    classifier = network(head).double()
    x, y = images[0].double(), images[1]
    target = (y + 1) % 3
    model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    theirs = foolbox.attacks.LinfBasicIterativeAttack(abs_stepsize=0.01, steps=20, random_start=False)
    goal = foolbox.criteria.TargetedMisclassification(target) if targeted else foolbox.criteria.Misclassification(y)
    expected, _, success = theirs(model, x, goal, epsilons=0.1)
    ours = BIM(epsilon=0.1)(classifier, x, y, target=target if targeted else None)
    torch.testing.assert_close(ours.x, expected, atol=1e-6, rtol=0)
    assert torch.equal(ours.success, success)


def test_defaults_are_the_papers():
    assert (FGSM().epsilon, BIM().step, BIM().steps) == (0.1, 0.01, 20)  # T §4.4
    assert BIM().epsilon == pytest.approx(BIM().step * BIM().steps)
    assert (ILCM().epsilon, ILCM().step, ILCM().steps) == (BIM().epsilon, BIM().step, BIM().steps)


def test_ilcm_is_bim_towards_the_least_likely_class_of_the_clean_image(network, images):
    x, _ = images
    classifier = network("softmax")
    y = classifier(x).argmax(1)
    target = classifier(x).argmin(1)
    ours, expected = ILCM(epsilon=0.03)(classifier, x, y), BIM(epsilon=0.03)(classifier, x, y, target=target)
    assert torch.equal(ours.x, expected.x)
    assert torch.equal(ours.success, expected.success)


def test_the_least_probable_class_is_never_the_true_one(linear):
    classifier = linear(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    x = torch.tensor([[[[0.9, 0.1]]]]).repeat(3, 1, 1, 1)  # logits 0.9, 0.1, −1
    assert least_probable(classifier, x, torch.tensor([0, 1, 2]), batch_size=2).tolist() == [2, 2, 1]
    result = ILCM(epsilon=0.0)(classifier, x, torch.tensor([2, 2, 2]))
    assert not result.success.any()  # class 0 is predicted, 1 was the target


def test_two_classes_leave_one_target(linear):
    classifier = linear(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    x = torch.tensor([[[[0.6, 0.5]]], [[[0.5, 0.6]]]])
    y = torch.tensor([0, 0])  # the second is misclassified already: where it is to go
    assert ILCM(epsilon=0.1)(classifier, x, y).success.tolist() == [True, True]
    assert ILCM(epsilon=0.0)(classifier, x, y).success.tolist() == [False, True]


def test_starts_are_uniform_in_the_ball_and_in_the_bounds(linear):
    classifier = linear(torch.zeros(2, 4096))  # no gradient: it stays at its start
    x = torch.full((3, 1, 64, 64), 0.5)
    x[1] = 0.0
    result = PGD(epsilon=0.25, steps=1)(classifier, x, torch.zeros(3, dtype=torch.int64))
    change = (result.x - x).flatten(1) / 0.25
    assert change[0].abs().max() <= 1 + 1e-6
    for bound in (-0.5, 0.0, 0.5):
        assert float((change[0] < bound).float().mean()) == pytest.approx((bound + 1) / 2, abs=0.03)
    assert float((change[1] == 0).float().mean()) == pytest.approx(0.5, abs=0.03)  # clipped at black
    assert not torch.allclose(change[0], change[2])
    assert result.zero_gradient.all()


def test_a_restart_has_a_start_of_its_own():
    streams = Streams(torch.zeros(2, 1, 4, 4), torch.Generator().manual_seed(0))
    first, second = streams.uniform(), streams.uniform()
    assert not torch.equal(first, second)
    one = Streams(torch.zeros(1, 1, 4, 4), torch.Generator().manual_seed(0))
    assert torch.equal(torch.cat([one.uniform(), one.uniform()]), torch.stack([first[0], second[0]]))
    assert Streams(torch.zeros(0, 1, 4, 4), None).normal().shape == (0, 1, 4, 4)
    assert Streams(torch.zeros(1, 1, 4, 4, dtype=torch.float64), None).normal().dtype == torch.float64


def test_of_restarts_each_image_keeps_success_then_value(network, images):
    x, y = images
    classifier = network("softmax").double()
    x = x.double()
    # With as few steps as this the ends differ. All restarts, one by one, from the same streams:
    streams = Streams(x, torch.Generator().manual_seed(3))
    objective = Objective(classifier.eval(), y, None, loss="margin")
    step, epsilon = 0.01, 0.05
    ends, values, reached = [], [], []
    for _ in range(4):
        start = (x + epsilon * (2 * streams.uniform() - 1)).clamp(0, 1)
        for _ in range(2):
            start = (x + (start + step * objective.gradient(start).sign() - x).clamp(-epsilon, epsilon)).clamp(0, 1)
        features = objective.features(start)
        ends.append(start)
        values.append(objective.value(features).detach())
        reached.append(objective.reached_by(features))
    # the margin is above 0 exactly if it succeeds, so that the highest margin is both
    best = torch.stack(values).argmax(0)
    expected = torch.stack(ends)[best, torch.arange(12)]
    attack = PGD(epsilon=epsilon, step=step, steps=2, restarts=4, loss="margin")
    result = attack(classifier, x, y, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(result.x, expected)
    assert torch.equal(result.success, torch.stack(reached).any(0))
    assert len(best.unique()) > 1
    assert result.iterations.tolist() == [8] * 12


def test_success_comes_before_value(linear):
    """A restart that succeeds is kept, however much higher the value of one that doesn't: here the score decides the value."""
    classifier = linear(torch.tensor([[0.0, 0.0], [1.0, -1.0]]))
    x, y = torch.full((40, 1, 1, 2), 0.5), torch.zeros(40, dtype=torch.int64)

    def score(features, classes):  # likes failures, and has no say in the direction: its gradient is 0 but for rounding
        return (features.logits[:, 1] > 0) * 1e3 + 0 * features.logits[:, 1]

    attack = PGD(epsilon=0.25, step=1e-9, steps=1, restarts=6)
    once = PGD(epsilon=0.25, step=1e-9, steps=1)
    generator = torch.Generator().manual_seed(0)
    assert 0.3 < float(once(classifier, x, y, score=score, generator=generator).success.float().mean()) < 0.7
    assert attack(classifier, x, y, score=score, generator=generator).success.float().mean() > 0.9


def test_pgd_takes_steps_that_cross_the_ball():
    assert PGD(epsilon=0.2, steps=10).step is None  # as given
    from torch import nn

    from drumlin.model import Classifier

    layer = nn.Linear(1, 2, bias=False)
    layer.weight = nn.Parameter(torch.tensor([[-1.0], [1.0]]))
    classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), layer), "1", channels=1)
    x, y = torch.full((50, 1, 1, 1), 0.5), torch.ones(50, dtype=torch.int64)
    assert torch.allclose(PGD(epsilon=0.2)(classifier, x, y).x, torch.tensor(0.3))  # from anywhere to the far edge
