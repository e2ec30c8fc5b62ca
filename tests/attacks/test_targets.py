import pytest
import torch

from drumlin.attacks import random_targets, second_most_probable


def test_random_targets_are_every_other_class_alike():
    y = torch.arange(4).repeat(3000)
    target = random_targets(y, 4, torch.Generator().manual_seed(0))
    counts = torch.zeros(4, 4).index_put_((y, target), torch.ones(()), accumulate=True)
    assert counts.diagonal().tolist() == [0.0] * 4
    others = counts[~torch.eye(4, dtype=torch.bool)]
    assert others.min() > 880  # 1000 expected, standard deviation 26
    assert others.max() < 1120


def test_random_targets_follow_their_generator_alone():
    y = torch.arange(50) % 5
    state = torch.get_rng_state()
    first, second = (random_targets(y, 5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_random_targets_out_of_range():
    with pytest.raises(ValueError, match="num_classes must be at least 2"):
        random_targets(torch.tensor([0]), 1)
    with pytest.raises(ValueError, match=r"y must lie in 0\.\.2, got 1 to 3"):
        random_targets(torch.tensor([1, 3]), 3)


def test_second_most_probable(linear):
    classifier = linear(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]))
    x = torch.tensor([[[[0.9, 0.1]]], [[[0.2, 0.8]]]])
    assert second_most_probable(classifier, x, batch_size=1).tolist() == [2, 2]
    # with labels: the first is misclassified as 0, so 0 is where it already is; the second is right
    assert second_most_probable(classifier, x, torch.tensor([2, 1])).tolist() == [0, 2]


def test_second_most_probable_leaves_modes(network, images):
    classifier = network().train()
    expected = classifier.state_dict()["backbone.trunk.stage1.1.running_mean"].clone()
    second_most_probable(classifier, images[0])
    assert classifier.training
    assert torch.equal(classifier.state_dict()["backbone.trunk.stage1.1.running_mean"], expected)
