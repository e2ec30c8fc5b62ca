"""Products whose operands are rounded to bfloat16 (8 significant bits), sums in float32."""

import threading

import pytest
import torch

from drumlin.functional import gm_logits, mixture_terms
from drumlin.functional._products import PRODUCTS
from reference.problems import random_problem

UNIT = 2.0**-8
"""Half a unit in the last place of bfloat16, relative."""


def test_float64_operands_are_not_rounded():
    a, b = torch.randn(3, 4, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    torch.testing.assert_close(PRODUCTS["bfloat16"](a.new_zeros(3, 2), a, b), a @ b, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("beta", [0.0, 1.0, -0.5])
@pytest.mark.parametrize("name", PRODUCTS)
def test_adds_to_what_is_there(name, beta):
    """Powers of two: nothing is rounded. With beta = 0 not even a NaN is left."""
    a, b = torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, 0.5], [0.25, 8.0]])
    out = torch.tensor([[2.0, 4.0]]) if beta else torch.full((1, 2), torch.nan)
    expected = torch.tensor([[4.5, 16.5]]) + (torch.tensor([[2.0, 4.0]]) * beta)
    assert torch.equal(PRODUCTS[name](out, a, b, beta=beta), expected)
    assert torch.equal(out, expected)


def test_error_is_that_of_rounding_the_operands():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(40, 300, generator=generator), torch.randn(300, 50, generator=generator)
    product = PRODUCTS["bfloat16"](torch.zeros(40, 50), a, b)
    assert product.dtype == torch.float32
    bound = (a.abs() @ b.abs()) * (2 * UNIT + UNIT**2) * 1.01
    assert ((product - (a.double() @ b.double())).abs() <= bound).all()


def test_the_global_precision_is_left_as_it_was():
    mkldnn = getattr(torch.backends.mkldnn, "matmul", None)
    if mkldnn is None:
        pytest.skip("this torch has no such switch")
    before = mkldnn.fp32_precision
    PRODUCTS["bfloat16"](torch.zeros(4, 4), torch.randn(4, 4), torch.randn(4, 4))
    assert mkldnn.fp32_precision == before


@pytest.mark.parametrize("offset", [0.0, 100.0])
@pytest.mark.parametrize("covariance", ["identity", "isotropic", "diagonal"])
def test_logits_err_by_no_more_than_the_centred_operands_allow(covariance, offset):
    """|Δ logit| ≤ 2⁻⁷ (‖z−c‖ ‖μ−c‖ and, with a diagonal covariance, ½ ‖z−c‖²): centred, so an offset changes nothing."""
    problem = random_problem(covariance, n=20, k=30, d=64, scale=0.5, offset=offset, dtype=torch.float32)
    if problem.log_var is not None:
        problem.log_var.data *= 0.1
    exact = gm_logits(
        problem.z.double(), problem.means.double(), None if problem.log_var is None else problem.log_var.double()
    )
    z, means = (t.detach().double() for t in (problem.z, problem.means))
    length = (z - means.mean(0)).norm(dim=1)[:, None]
    bound = 2 * UNIT * 2 * (length * (means - means.mean(0)).norm(dim=1) + 0.5 * length.square())
    rounded = gm_logits(problem.z, problem.means, problem.log_var, matmul="bfloat16")
    assert ((rounded - exact).abs() <= bound).all()
    terms = mixture_terms(problem.z, problem.y, problem.means, problem.log_var, matmul="bfloat16")
    assert ((terms.logits - exact).abs() <= bound).all()


def test_the_true_class_keeps_float32():
    problem = random_problem("diagonal", n=20, k=30, d=64, dtype=torch.float32)
    options = {"likelihood": "component"}
    given = problem.z, problem.y, problem.means, problem.log_var
    rounded, full = mixture_terms(*given, **options, matmul="bfloat16"), mixture_terms(*given, **options)
    assert torch.equal(rounded.likelihood, full.likelihood)
    own = problem.y[:, None]
    assert torch.equal(rounded.logits.gather(1, own), full.logits.gather(1, own))


def test_gradients_point_the_same_way():
    problem = random_problem("diagonal", n=20, k=30, d=64, scale=0.3, dtype=torch.float32)
    given = problem.z, problem.y, problem.means, problem.log_var
    gradients = [
        torch.autograd.grad(sum(t.sum() for t in mixture_terms(*given, margin=0.3, matmul=mm)[:2]), problem.leaves)
        for mm in ("float32", "bfloat16")
    ]
    for full, rounded in zip(*gradients, strict=True):
        assert (full - rounded).norm() < 0.02 * full.norm()


def test_threads_leave_the_precision_flag_as_it_was() -> None:
    flag = getattr(torch.backends.mkldnn, "matmul", None)
    if flag is None:
        pytest.skip("this torch has no such flag")
    before = flag.fp32_precision
    a, b = torch.randn(64, 64), torch.randn(64, 64)

    def work() -> None:
        for _ in range(50):
            PRODUCTS["bfloat16"](torch.zeros(64, 64), a, b)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert flag.fp32_precision == before
