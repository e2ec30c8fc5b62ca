"""Reverse cross entropy: by hand, against a loop, at its minimum, and where one logit outweighs all others."""

import math

import pytest
import torch

from drumlin.functional import reverse_cross_entropy
from reference import linear as reference


def problem(n=6, k=4):
    logits = torch.randn(n, k, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    return logits, torch.arange(k - 1, k - 1 - n, -1) % k


@pytest.mark.parametrize(
    ("y", "expected"),
    [(0, 0.5 * math.log(16)), (1, 0.5 * (math.log(2) + math.log(4))), (2, 0.5 * (math.log(2) + math.log(4)))],
)
def test_by_hand(y, expected):
    """softmax(−logits) = ½, ¼, ¼."""
    loss = reverse_cross_entropy(torch.tensor([[-math.log(2), 0.0, 0.0]]), torch.tensor([y]))
    torch.testing.assert_close(loss, torch.tensor([expected]))


@pytest.mark.parametrize("k", [2, 3, 7])
def test_equals_the_reference(k):
    logits, y = problem(k=k)
    torch.testing.assert_close(reverse_cross_entropy(logits, y), reference.reverse_cross_entropy(logits, y))


def test_two_classes_are_cross_entropy():
    logits, y = problem(k=2)
    expected = torch.nn.functional.cross_entropy(logits, y, reduction="none")
    torch.testing.assert_close(reverse_cross_entropy(logits, y), expected)


def test_its_minimum_is_uniform_over_the_wrong_classes():
    logits, y = torch.zeros(4, 4).diagonal_scatter(torch.full((4,), 200.0)).requires_grad_(), torch.arange(4)
    loss = reverse_cross_entropy(logits, y)
    torch.testing.assert_close(loss, torch.full((4,), math.log(3)))
    loss.sum().backward()
    torch.testing.assert_close(logits.grad, torch.zeros(4, 4))
    assert (reverse_cross_entropy(*problem()) > math.log(3)).all()


def test_a_huge_true_logit_does_not_cancel_the_rest():
    """In float32, 3e7 is exact to 2: summed with it first, the others would be lost."""
    logits = torch.tensor([[3e7, 0.1, 0.2]])
    expected = reference.reverse_cross_entropy(torch.tensor([[700.0, 0.1, 0.2]]), torch.tensor([0]))
    torch.testing.assert_close(reverse_cross_entropy(logits, torch.tensor([0])).double(), expected)


def test_a_constant_on_all_logits_does_nothing():
    logits, y = problem()
    torch.testing.assert_close(reverse_cross_entropy(logits + 5, y), reverse_cross_entropy(logits, y))


def test_gradcheck():
    logits, y = problem()
    assert torch.autograd.gradcheck(lambda x: reverse_cross_entropy(x, y), logits.requires_grad_())


def test_half_precision_autocast_and_no_samples():
    logits, y = problem()
    half = logits.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = reverse_cross_entropy(half, y)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, reverse_cross_entropy(half.float(), y))
    assert reverse_cross_entropy(logits[:0], y[:0]).shape == (0,)
