import math

import pytest
import torch

from drumlin.functional import max_mahalanobis_means
from drumlin.heads import MaxMahalanobisHead


@pytest.mark.parametrize("training", [True, False])
def test_by_hand(training):
    """Means 1 and −1 on a line, z = ½: squared distances ¼ and 9/4, so logits differ by 1."""
    head, z = MaxMahalanobisHead(1, 2, norm=1.0).train(training), torch.full((2, 1), 0.5)
    torch.testing.assert_close(head.logits(z)[0], torch.tensor([-0.125, -1.125]))
    loss = head(z, torch.tensor([0, 1])).terms["classification"]
    torch.testing.assert_close(loss, torch.tensor([math.log1p(math.exp(-1)), math.log1p(math.exp(1))]))


def test_means_are_fixed_and_part_of_the_state():
    head = MaxMahalanobisHead(9, 10)
    assert not list(head.parameters())
    assert head.param_groups(0.1, 0.1) == []
    assert torch.equal(head.state_dict()["means"], max_mahalanobis_means(10, 9))
    torch.testing.assert_close(head.means.square().sum(1), torch.full((10,), 100.0))
    other = MaxMahalanobisHead(9, 10, norm=3.0)
    other.load_state_dict(head.state_dict())
    assert torch.equal(other.means, head.means)


def test_every_mean_is_its_class():
    head = MaxMahalanobisHead(12, 7)
    out = head(head.means, torch.arange(7))
    assert out.prediction.tolist() == list(range(7))
    assert (out.terms["classification"] < 1e-6).all()


def test_refuses_too_few_dimensions():
    MaxMahalanobisHead(9, 10)
    with pytest.raises(ValueError, match="in_features must be at least 9 for 10 means at equal distances, got 2"):
        MaxMahalanobisHead(2, 10)


@pytest.mark.parametrize("norm", [0.0, -1.0, math.inf, math.nan])
def test_refuses_a_norm(norm):
    with pytest.raises(ValueError, match=f"norm must be a finite number above 0, got {norm}"):
        MaxMahalanobisHead(4, 3, norm=norm)
