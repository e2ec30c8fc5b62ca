import pytest
import torch

from drumlin.functional import isotropic_loss
from drumlin.heads import IsotropicHead, SoftmaxHead

D, K = 2, 3


@pytest.mark.parametrize("training", [True, False])
def test_by_hand(training):
    """0, 0 and 3 lie 1, 1 and 2 from their mean: (1/6, 1/6, 2/3), times α = 0.6; labels do not matter."""
    head = IsotropicHead(1, K, weight=0.6).train(training)
    for labels in ([0, 1, 2], [2, 2, 2]):
        terms = head(torch.tensor([[0.0], [0.0], [3.0]]), torch.tensor(labels)).terms
        assert list(terms) == ["classification", "isotropic"]
        torch.testing.assert_close(terms["isotropic"], torch.tensor([0.1, 0.1, 0.4]))


def test_cross_entropy_is_that_of_softmax():
    torch.manual_seed(0)
    head, z, y = IsotropicHead(D, K), torch.randn(5, D), torch.tensor([2, 0, 1, 1, 2])
    softmax = SoftmaxHead(D, K)
    softmax.linear = head.linear
    assert torch.equal(head(z, y).terms["classification"], softmax(z, y).terms["classification"])
    torch.testing.assert_close(head(z, y).terms["isotropic"], 0.05 * isotropic_loss(z))


def test_a_batch_of_one_sample_adds_nothing():
    torch.manual_seed(0)
    head, z = IsotropicHead(D, K), torch.randn(1, D, requires_grad=True)
    out = head(z, torch.tensor([K - 1]))
    assert out.terms["isotropic"].tolist() == [0.0]
    assert torch.equal(out.loss, out.terms["classification"].squeeze())
    assert not torch.autograd.grad(out.terms["isotropic"].sum(), z)[0].any()


def test_a_batch_of_one_class_is_like_any_other():
    torch.manual_seed(0)
    head, z = IsotropicHead(D, K), torch.randn(6, D)
    same, mixed = head(z, torch.full((6,), K - 1)), head(z, torch.arange(6) % K)
    assert same.loss.isfinite()
    assert torch.equal(same.terms["isotropic"], mixed.terms["isotropic"])


@pytest.mark.parametrize("weight", [-0.05, float("nan"), float("inf")])
def test_refuses(weight):
    with pytest.raises(ValueError, match=f"weight must be a finite number of at least 0, got {weight}"):
        IsotropicHead(D, K, weight=weight)
