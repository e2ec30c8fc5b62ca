import math

import pytest
import torch

from drumlin.functional import l_softmax_logits
from drumlin.heads import LSoftmaxHead, SoftmaxHead

D, K = 4, 3


@pytest.fixture
def z():
    return torch.randn(6, D, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def y():
    return torch.tensor([2, 0, 1, 2, 0, 1])


def plane(**options):
    """w_0 = (1, 0), w_1 = (0, 1)."""
    head = LSoftmaxHead(2, 2, **options)
    with torch.no_grad():
        head.linear.weight.copy_(torch.eye(2))
    return head


def test_by_hand():
    """z = (0, 1), y = 0: θ = 90°, so with m = 2 the true logit is cos 180° = −1 and the other 1; without margin 0 and 1."""
    head, z, y = plane(margin=2, beta=0.0), torch.tensor([[0.0, 1.0]]), torch.tensor([0])
    assert head(z, y).loss.item() == pytest.approx(math.log1p(math.exp(2)))
    assert head.eval()(z, y).loss.item() == pytest.approx(math.log1p(math.exp(1)))
    half = plane(margin=2, beta=1.0)  # the mean of 0 and −1
    assert half(z, y).loss.item() == pytest.approx(math.log1p(math.exp(1.5)))


def test_logits_and_prediction_are_without_margin(z, y):
    torch.manual_seed(0)
    head = LSoftmaxHead(D, K, beta=0.0)
    out = head(z, y)
    torch.testing.assert_close(out.logits, z @ head.linear.weight.T)
    with_margin = l_softmax_logits(z, y, head.linear.weight)
    assert out.prediction.tolist() == out.logits.argmax(1).tolist() != with_margin.argmax(1).tolist()
    torch.testing.assert_close(
        out.terms["classification"], torch.nn.functional.cross_entropy(with_margin, y, reduction="none")
    )


def test_has_no_bias():
    assert [name for name, _ in LSoftmaxHead(D, K).named_parameters()] == ["linear.weight"]


def test_margin_1_and_evaluation_are_softmax(z, y):
    head, softmax = LSoftmaxHead(D, K, margin=1, beta=0.0), SoftmaxHead(D, K, bias=False)
    softmax.load_state_dict({"linear.weight": head.linear.weight})
    expected = softmax(z, y).terms["classification"]
    torch.testing.assert_close(head(z, y).terms["classification"], expected)
    four = LSoftmaxHead(D, K, beta=0.0)
    four.linear = head.linear
    assert torch.equal(four.eval()(z, y).terms["classification"], expected)
    assert (four.train()(z, y).terms["classification"] > expected).all()


def test_annealing_by_hand(z, y):
    """β = 8 (1 + t)^−3: 8, 1, 8/27, then the floor of ¼."""
    head = LSoftmaxHead(D, K, beta=8.0, gamma=1.0, power=3.0, beta_min=0.25)
    for step, beta in enumerate([8.0, 1.0, 8 / 27, 0.25, 0.25]):
        assert head.step == step
        assert head.current_beta == pytest.approx(beta)
        trained = l_softmax_logits(z, y, head.linear.weight, beta=beta)
        expected = torch.nn.functional.cross_entropy(trained, y)
        torch.testing.assert_close(head(z, y).loss, expected)


def test_evaluation_and_logits_count_no_step(z, y):
    head = LSoftmaxHead(D, K)
    head(z), head.eval()(z, y)
    assert head.step == 0
    assert head.train().state_dict()["step"] == 0


def test_the_authors_schedule():
    """From 1000 to below 1 in 9,000 of 30,000 steps, and then as good as gone."""
    head, betas = LSoftmaxHead(D, K), []
    for step in (0, 8000, 9000, 30_000):
        head.step.fill_(step)
        betas.append(head.current_beta)
    assert betas[0] == 1000
    assert betas[1] > 1 > betas[2] > 1e-3 > betas[3] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": -1}, "margin must be a whole number of at least 1, got -1"),
        ({"margin": 0}, "margin must be a whole number of at least 1, got 0"),
        ({"margin": 2.5}, "margin must be a whole number of at least 1, got 2.5"),
        ({"margin": True}, "margin must be a whole number of at least 1, got True"),
        ({"beta": -0.1}, "beta must be a finite number of at least 0, got -0.1"),
        ({"beta": math.nan}, "beta must be a finite number of at least 0, got nan"),
        ({"beta_min": -1.0}, "beta_min must be a finite number of at least 0, got -1.0"),
        ({"gamma": -1e-5}, "gamma must be a finite number of at least 0, got -1e-05"),
        ({"power": math.inf}, "power must be a finite number of at least 0, got inf"),
    ],
)
def test_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        LSoftmaxHead(D, K, **options)
