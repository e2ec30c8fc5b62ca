"""ψ and the margin's logits: by hand, against arc cosines in a loop, where angles are 0 or straight, and without any angle."""

import math

import pytest
import torch

from drumlin.functional import l_softmax_logits
from drumlin.functional.l_softmax import stretched_cosine
from reference import linear as reference

MARGINS = (1, 2, 3, 4, 5, 9)


def problem(n=6, k=5, d=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    z, weight = (torch.randn(rows, d, dtype=dtype, generator=generator) for rows in (n, k))
    return z, torch.arange(k - 1, k - 1 - n, -1) % k, weight


@pytest.mark.parametrize(
    ("degrees", "margin", "expected"),
    [
        (0, 1, 1.0),
        (60, 1, 0.5),
        (0, 4, 1.0),
        (60, 2, -0.5),  # cos 120°
        (90, 2, -1.0),
        (120, 2, -1.5),  # −cos 240° − 2
        (180, 2, -3.0),
        (90, 3, -2.0),  # −cos 270° − 2
        (180, 3, -5.0),
        (22.5, 4, 0.0),
        (67.5, 4, -2.0),  # −cos 270° − 2
        (112.5, 4, -4.0),  # cos 450° − 4
        (180, 4, -7.0),
    ],
)
def test_by_hand(degrees, margin, expected):
    """z of length 3 at an angle to w_1 of length 2; w_0 of length 1 stands at right angles to w_1."""
    theta = math.radians(degrees)
    z = 3 * torch.tensor([[math.cos(theta), math.sin(theta)]], dtype=torch.float64)
    weight = torch.tensor([[0.0, 1.0], [2.0, 0.0]], dtype=torch.float64)
    logits = l_softmax_logits(z, torch.tensor([1]), weight, margin=margin)
    torch.testing.assert_close(logits, torch.tensor([[3 * math.sin(theta), 6 * expected]], dtype=torch.float64))
    half = l_softmax_logits(z, torch.tensor([1]), weight, margin=margin, beta=3.0)
    assert half[0, 1].item() == pytest.approx(6 * (3 * math.cos(theta) + expected) / 4)


@pytest.mark.parametrize("beta", [0.0, 0.7, 1000.0])
@pytest.mark.parametrize("margin", MARGINS)
def test_equals_the_reference(margin, beta):
    z, y, weight = problem()
    expected = reference.l_softmax_logits(z, y, weight, margin, beta)
    torch.testing.assert_close(l_softmax_logits(z, y, weight, margin=margin, beta=beta), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("margin", MARGINS)
def test_psi_falls_from_1_to_1_minus_2m_below_the_cosine(margin, dtype):
    """On a grid that has the ends of all intervals in it."""
    theta = torch.linspace(0, math.pi, 360 * margin + 1, dtype=torch.float64)
    psi = stretched_cosine(theta.cos().to(dtype), margin).double()
    expected = torch.tensor([reference.psi(value, margin) for value in theta.tolist()], dtype=torch.float64)
    error = 0.0 if dtype == torch.float64 else 1e-6 * margin**2
    torch.testing.assert_close(psi, expected, rtol=0, atol=1e-12 + error)
    assert (psi.diff() < error + 1e-12).all()
    assert (psi <= theta.cos() + error + 1e-12).all()
    assert psi[0] == 1
    assert psi[-1] == 1 - 2 * margin


def test_margin_1_and_a_large_beta_are_softmax():
    z, y, weight = problem()
    torch.testing.assert_close(l_softmax_logits(z, y, weight, margin=1), z @ weight.T)
    torch.testing.assert_close(l_softmax_logits(z, y, weight, beta=1e12), z @ weight.T)


def test_wrong_classes_have_no_margin():
    z, y, weight = problem()
    others = torch.ones(len(z), len(weight), dtype=torch.bool).scatter(1, y[:, None], False)
    logits = l_softmax_logits(z, y, weight)
    torch.testing.assert_close(logits[others], (z @ weight.T)[others])
    assert (logits < z @ weight.T)[~others].all()


def test_grows_in_proportion_to_features_and_weights():
    z, y, weight = problem()
    logits = l_softmax_logits(z, y, weight)
    torch.testing.assert_close(l_softmax_logits(3 * z, y, weight), 3 * logits)
    torch.testing.assert_close(l_softmax_logits(z, y, 3 * weight), 3 * logits)


@pytest.mark.parametrize("beta", [0.0, 0.7])
@pytest.mark.parametrize("margin", [1, 2, 3, 4])
def test_gradcheck(margin, beta):
    z, y, weight = problem(d=3)
    inputs = z.requires_grad_(), weight.requires_grad_()
    assert torch.autograd.gradcheck(lambda z, w: l_softmax_logits(z, y, w, margin=margin, beta=beta), inputs)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("margin", [2, 3, 4])
def test_gradient_where_the_angle_is_0_or_straight(margin, sign):
    """There f(θ) is flat, so ‖w‖ ‖z‖ f has the gradient f ‖w‖ z/‖z‖; an arc cosine's would be infinite."""
    z, weight = torch.tensor([[2.0, 0.0]], requires_grad=True), torch.tensor([[sign * 3.0, 0.0], [0.0, 1.0]])
    l_softmax_logits(z, torch.tensor([0]), weight, margin=margin)[0, 0].backward()
    expected = 3.0 if sign == 1 else 3.0 * (1 - 2 * margin)
    torch.testing.assert_close(z.grad, torch.tensor([[expected, 0.0]]))


def test_without_an_angle_there_is_no_margin():
    """Features or weights of 0: the plain product, with its gradient."""
    z = torch.zeros(2, 3, requires_grad=True)
    weight = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], requires_grad=True)
    logits = l_softmax_logits(z, torch.tensor([0, 1]), weight)
    assert torch.equal(logits, torch.zeros(2, 2))
    (logits * torch.tensor([[1.0, 0.0], [0.0, 1.0]])).sum().backward()
    assert torch.equal(z.grad, weight.detach())
    assert torch.equal(weight.grad, torch.zeros(2, 3))


@pytest.mark.parametrize("size", [1e-18, 1e18])
def test_features_of_extreme_size(size):
    z, y, weight = problem(dtype=torch.float32)
    z = (z * size).requires_grad_()
    logits = l_softmax_logits(z, y, weight)
    expected = l_softmax_logits(z.double().detach(), y, weight.double())
    torch.testing.assert_close(logits.double(), expected, rtol=1e-5, atol=1e-5 * size)
    logits.sum().backward()
    assert z.grad.isfinite().all()


def test_half_precision_and_autocast():
    z, y, weight = problem(dtype=torch.float32)
    half = z.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = l_softmax_logits(half, y, weight)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, l_softmax_logits(half.float(), y, weight))


def test_no_samples_and_two_classes():
    z, y, weight = problem(n=0)
    assert l_softmax_logits(z, y, weight).shape == (0, 5)
    z, y, weight = problem(n=3, k=2, d=1)
    torch.testing.assert_close(l_softmax_logits(z, y, weight), reference.l_softmax_logits(z, y, weight, 4, 0.0))


@pytest.mark.parametrize("margin", [0, -1, 1.5])
def test_refuses_a_margin(margin):
    with pytest.raises(ValueError, match=f"margin must be a whole number of at least 1, got {margin}"):
        l_softmax_logits(*problem(), margin=margin)
