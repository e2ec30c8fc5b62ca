from collections.abc import Callable
from itertools import chain

import pytest
import torch
from torch import Tensor, nn

from drumlin.features import FeatureSet
from drumlin.heads import GaussianMixtureHead, Head, SoftmaxHead


def precision(head: Head) -> torch.dtype:
    return next(t.dtype for t in chain(head.parameters(), head.buffers()) if t.is_floating_point())


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
def identity() -> GaussianMixtureHead:
    """As `mixture`, with Λ = I: its posterior is a softmax of something linear."""
    head = GaussianMixtureHead.gm(4, 3, prior=torch.tensor([0.5, 0.3, 0.2]))
    with torch.no_grad():
        head.means.copy_(torch.eye(3, 4) * 6)
    return head.eval()


@pytest.fixture
def describe() -> Callable[..., FeatureSet]:
    """Make all that a classifier could say of features: logits, two hidden layers, five draws; with the graph of z, if it has one."""
    generator = torch.Generator().manual_seed(7)
    early, late = torch.randn(4, 6, generator=generator), torch.randn(4, 5, generator=generator)
    dropped = 1 + 0.2 * torch.randn(5, 1, 4, generator=generator)

    def make(head: Head, z: Tensor, y: Tensor | None = None) -> FeatureSet:
        hidden = {"early": z @ early.to(z), "late": nn.functional.leaky_relu(z @ late.to(z), 0.1)}
        draws = torch.stack([head.logits(z * part.to(z)).softmax(1) for part in dropped])
        graph = z.requires_grad
        logits = head.logits(z)
        return FeatureSet(z, logits if graph else logits.detach(), y, hidden, draws if graph else draws.detach())

    return make


@pytest.fixture
def sample(describe: Callable[..., FeatureSet]) -> Callable[..., FeatureSet]:
    """Draw labelled features around three means, in the head's precision, and describe them."""

    def draw(head: Head, n: int = 60, seed: int = 0) -> FeatureSet:
        generator = torch.Generator().manual_seed(seed)
        y = torch.arange(n) % 3
        z = torch.eye(3, 4)[y] * 6 + torch.randn(n, 4, generator=generator)
        return describe(head, z.to(precision(head)), y)

    return draw


@pytest.fixture
def strange(describe: Callable[..., FeatureSet]) -> Callable[..., FeatureSet]:
    """Draw features amid the means, and describe them."""

    def draw(head: Head, n: int = 30, seed: int = 2) -> FeatureSet:
        z = 2.0 + 0.5 * torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
        return describe(head, z.to(precision(head)))

    return draw
