import pytest
import torch

from drumlin.functional import contrastive_center_loss
from drumlin.heads import ContrastiveCenterHead

D, K = 2, 3


@pytest.mark.parametrize("training", [True, False])
def test_by_hand(training):
    """Distances² 1, 4, 9 from the origin, y = 1: ½ · 4 / (1 + 9 + 2), times λ = 3; logits 0, so CE is log 3."""
    head = ContrastiveCenterHead(1, K, weight=3.0, delta=2.0).train(training)
    with torch.no_grad():
        head.centers.copy_(torch.tensor([[1.0], [-2.0], [3.0]]))
        head.linear.bias.zero_()
    terms = head(torch.zeros(1, 1), torch.tensor([1])).terms
    assert list(terms) == ["classification", "contrastive_center"]
    assert terms["contrastive_center"].item() == pytest.approx(0.5)
    assert terms["classification"].exp().item() == pytest.approx(3)


def test_weight_and_delta_are_1_by_default():
    torch.manual_seed(0)
    head, z, y = ContrastiveCenterHead(D, K), torch.randn(5, D), torch.tensor([2, 0, 1, 1, 2])
    torch.nn.init.normal_(head.centers)
    expected = contrastive_center_loss(z, y, head.centers, delta=1.0)
    torch.testing.assert_close(head(z, y).terms["contrastive_center"], expected)


def test_centers_that_start_at_the_origin_part():
    """Learned together with features that are fixed, each center goes where its class is, away from the others."""
    torch.manual_seed(0)
    y = torch.arange(30) % K
    corners = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
    z = corners[y] + 0.1 * torch.randn(30, D)
    head = ContrastiveCenterHead(D, K)
    optimizer = torch.optim.SGD(head.param_groups(0.5, 0.0))
    for _ in range(60):
        optimizer.zero_grad()
        head(z, y).loss.backward()
        optimizer.step()
    assert torch.cdist(head.centers, corners).argmin(1).tolist() == [0, 1, 2]


def test_param_groups_divide_the_centers_rate_by_the_weight():
    *_, centers = ContrastiveCenterHead(D, K, weight=0.25).param_groups(0.5, 0.02)
    assert [p.shape for p in centers["params"]] == [(K, D)]
    assert (centers["lr"], centers["weight_decay"]) == (2.0, 0.0)
    assert ContrastiveCenterHead(D, K, weight=0.0).param_groups(0.5, 0.02)[-1]["lr"] == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1.0}, r"weight must be a finite number of at least 0, got -1\.0"),
        ({"weight": float("nan")}, "weight must be a finite number of at least 0, got nan"),
        ({"delta": 0.0}, r"delta must be a finite number above 0, got 0\.0"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        ContrastiveCenterHead(D, K, **options)
