import dataclasses
import math

import pytest
import torch

from drumlin.heads import SoftmaxHead
from drumlin.settings.heads import HEADS
from reference import linear as reference


def hand_head(**options):
    head = SoftmaxHead(1, 3, **options)
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0], [0.0], [-1.0]]))
        if head.linear.bias is not None:
            head.linear.bias.copy_(torch.tensor([0.0, 0.0, math.log(2)]))
    return head


def test_by_hand():
    """Weights 1, 0, −1, biases 0, 0, log 2, z = log 2: logits log 2, 0, 0, so p = ½, ¼, ¼."""
    head, z = hand_head(), torch.full((3, 1), math.log(2))
    torch.testing.assert_close(head.logits(z)[0], torch.tensor([math.log(2), 0.0, 0.0]))
    loss = head(z, torch.tensor([0, 1, 2])).terms["classification"]
    torch.testing.assert_close(loss, torch.tensor([math.log(2), math.log(4), math.log(4)]))


def test_without_bias():
    head = hand_head(bias=False)
    assert [name for name, _ in head.named_parameters()] == ["linear.weight"]
    torch.testing.assert_close(head.logits(torch.ones(1, 1)), torch.tensor([[1.0, 0.0, -1.0]]))


def test_label_smoothing_by_hand():
    """s = 0.3: 0.7 + 0.1 on the true class, 0.1 on each other one; the same in training and evaluation."""
    head, z = hand_head(label_smoothing=0.3), torch.full((1, 1), math.log(2))
    for training in (True, False):
        loss = head.train(training)(z, torch.tensor([0])).loss
        assert loss.item() == pytest.approx(0.8 * math.log(2) + 0.2 * math.log(4))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("k", [2, 5])
def test_equals_the_reference(k, smoothing):
    torch.manual_seed(0)
    head, z = SoftmaxHead(4, k, label_smoothing=smoothing).double(), torch.randn(k, 4, dtype=torch.float64)
    y = torch.arange(k)
    expected = reference.cross_entropy(head.logits(z), y, smoothing)
    torch.testing.assert_close(head(z, y).terms["classification"], expected)


def test_label_smoothing_exists_for_softmax_alone():
    """With a margin it is not defined."""
    names = {name: {field.name for field in dataclasses.fields(kind)} for name, kind in HEADS.items()}
    assert [name for name, fields in names.items() if "label_smoothing" in fields] == ["softmax"]


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 1.5, math.nan])
def test_refuses_label_smoothing(smoothing):
    with pytest.raises(ValueError, match=r"label_smoothing must lie in \[0, 1\), got"):
        SoftmaxHead(2, 2, label_smoothing=smoothing)


def test_a_sample_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    head, z, y = SoftmaxHead(4, 3, reduction="none"), torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    single = torch.cat([head(z[n : n + 1], y[n : n + 1]).loss for n in range(5)])
    torch.testing.assert_close(head(z, y).loss, single)


def test_matrices_decay_and_biases_do_not():
    decayed, plain = SoftmaxHead(2, 3).param_groups(0.5, 0.01)
    assert [p.shape for p in decayed["params"]] == [(3, 2)]
    assert [p.shape for p in plain["params"]] == [(3,)]
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.01, 0.0)
    assert decayed["lr"] == plain["lr"] == 0.5
    assert len(SoftmaxHead(2, 3, bias=False).param_groups(0.5, 0.01)) == 1


def test_probabilities_below_the_smallest_float_get_a_gradient_of_zero():
    """A gap of 95 nats: e⁻⁹⁵ is a denormal number in float32, on which a CPU's matrix products crawl."""
    head, z = hand_head(bias=False), torch.full((1, 1), 95.0, requires_grad=True)
    head(z, torch.tensor([0])).loss.backward()
    bits = head.linear.weight.grad.view(torch.int32)
    assert not ((bits & 0x7F800000 == 0) & (bits & 0x7FFFFF != 0)).any()
