"""Products whose operands are rounded to bfloat16 (8 significant bits), sums in float32, the result rounded once more."""

import pytest
import torch

from drumlin.functional._products import PRODUCTS

UNIT = 2.0**-8
"""Half a unit in the last place of bfloat16, relative."""


@pytest.mark.parametrize("name", PRODUCTS)
def test_float64_operands_are_not_rounded(name):
    a, b = torch.randn(3, 4, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    c = torch.randn(3, 2, dtype=torch.float64)
    torch.testing.assert_close(PRODUCTS[name](c, a, b), c + a @ b, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("shape", [(1, 2), (2,)])
@pytest.mark.parametrize("name", PRODUCTS)
def test_adds_to_a_matrix_or_a_row_what_it_leaves_as_it_is(name, shape):
    """Powers of two: nothing of the product is rounded; what it is added to never is."""
    a, b = torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, 0.5], [0.25, 8.0]])
    c = torch.full(shape, 1 + 2.0**-20)
    assert torch.equal(PRODUCTS[name](c, a, b), torch.tensor([[5.5, 17.5]]) + 2.0**-20)
    assert torch.equal(c, torch.full(shape, 1 + 2.0**-20))


def test_error_is_that_of_rounding_operands_and_result():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(40, 300, generator=generator), torch.randn(300, 50, generator=generator)
    product = PRODUCTS["bfloat16"](torch.zeros(40, 50), a, b)
    assert product.dtype == torch.float32
    exact = a.double() @ b.double()
    bound = (a.abs() @ b.abs()) * (2 * UNIT + UNIT**2) * 1.01 + exact.abs() * UNIT
    assert ((product - exact).abs() <= bound).all()
    assert not torch.equal(product, exact.float())


@pytest.mark.parametrize("name", PRODUCTS)
def test_gradcheck_is_twice(name):
    c, a, b = (torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((2,), (3, 4), (4, 2)))
    assert torch.autograd.gradgradcheck(PRODUCTS[name], (c, a, b))


def test_gradients_of_rounded_products_are_those_of_the_rounded_operands():
    a, b = torch.randn(5, 8, requires_grad=True), torch.randn(8, 3, requires_grad=True)
    grads = torch.autograd.grad(PRODUCTS["bfloat16"](torch.zeros(5, 3), a, b).sum(), [a, b])
    exact = torch.autograd.grad((a.bfloat16().float() @ b.bfloat16().float()).sum(), [a, b])
    for rounded, true in zip(grads, exact, strict=True):
        torch.testing.assert_close(rounded, true, rtol=2 * UNIT, atol=1e-6)
