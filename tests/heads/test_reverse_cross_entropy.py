import math

import pytest
import torch

from drumlin.heads import ReverseCrossEntropyHead


def hand_head():
    head = ReverseCrossEntropyHead(1, 3)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0], [0.0], [0.0]]))
        head.linear.bias.copy_(torch.tensor([0.0, 0.0, math.log(2)]))
    return head


@pytest.mark.parametrize("training", [True, False])
def test_by_hand(training):
    """Wz + b = log 2, 0, log 2, so softmax(Wz + b) = 2/5, 1/5, 2/5: class 1, the smallest output, is the most probable."""
    head, z = hand_head().train(training), torch.full((3, 1), math.log(2))
    torch.testing.assert_close(head.logits(z)[0], torch.tensor([-math.log(2), 0.0, -math.log(2)]))
    out = head(z, torch.tensor([0, 1, 2]))
    assert out.prediction.tolist() == [1, 1, 1]
    log = math.log
    expected = [-(log(1 / 5) + log(2 / 5)) / 2, -(log(2 / 5) + log(2 / 5)) / 2, -(log(2 / 5) + log(1 / 5)) / 2]
    torch.testing.assert_close(out.terms["classification"], torch.tensor(expected))


def test_is_trained_to_be_uniform_over_the_wrong_classes():
    """A few hundred steps on one point a class: softmax(Wz + b) becomes 0 at y, 1/(K−1) elsewhere."""
    torch.manual_seed(0)
    head, z, y = ReverseCrossEntropyHead(4, 4), torch.eye(4), torch.arange(4)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        head(z, y).loss.backward()
        optimizer.step()
    shares = (-head.logits(z)).softmax(1).detach()
    expected = torch.full((4, 4), 1 / 3).fill_diagonal_(0)
    torch.testing.assert_close(shares, expected, rtol=0, atol=0.01)
    assert head(z, y).prediction.tolist() == [0, 1, 2, 3]
