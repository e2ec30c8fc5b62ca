from collections.abc import Callable

import pytest
import torch

from drumlin.features import FeatureSet
from drumlin.heads import GaussianMixtureHead, Head, SoftmaxHead


@pytest.fixture
def mixture() -> GaussianMixtureHead:
    """Three classes in 4 dimensions, means 6 apart, diagonal variances around 1, a prior that is not uniform."""
    head = GaussianMixtureHead.lgm(4, 3, prior=torch.tensor([0.5, 0.3, 0.2]))
    with torch.no_grad():
        head.means.copy_(torch.eye(3, 4) * 6)
        head.log_var.copy_(torch.linspace(-0.3, 0.3, 12).reshape(3, 4))
    return head.eval()


@pytest.fixture
def softmax() -> SoftmaxHead:
    torch.manual_seed(1)
    return SoftmaxHead(4, 3).eval()


@pytest.fixture
def sample() -> Callable[..., FeatureSet]:
    """Draw labelled features around three means, with a head's logits."""

    def draw(head: Head, n: int = 60, seed: int = 0) -> FeatureSet:
        generator = torch.Generator().manual_seed(seed)
        y = torch.arange(n) % 3
        z = torch.eye(3, 4)[y] * 6 + torch.randn(n, 4, generator=generator)
        return FeatureSet(z, head.logits(z).detach(), y)

    return draw
