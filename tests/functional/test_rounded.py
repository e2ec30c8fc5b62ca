"""The mixture loss with operands rounded to bfloat16, against float64."""

import pytest
import torch

from drumlin.functional import gm_log_density, gm_logits, mixture_terms
from reference.problems import random_problem

UNIT = 2.0**-8
"""Half a unit in the last place of bfloat16, relative."""
COVARIANCES = ("identity", "isotropic", "diagonal")
every_covariance = pytest.mark.parametrize("covariance", COVARIANCES)


def exact_logits(problem):
    return gm_logits(
        problem.z.double(), problem.means.double(), None if problem.log_var is None else problem.log_var.double()
    )


@pytest.mark.parametrize("offset", [0.0, 100.0])
@every_covariance
def test_logits_err_by_no_more_than_centred_operands_and_products_allow(covariance, offset):
    """|Δ logit| ≤ 3 · 2⁻⁸ (‖z−c‖ ‖μ−c‖/λ and, with a diagonal covariance, ½ Σ z² |a − 1/λ|): an offset changes nothing."""
    problem = random_problem(covariance, n=20, k=30, d=64, scale=0.5, offset=offset, dtype=torch.float32)
    if problem.log_var is not None:
        problem.log_var.data *= 0.1
    exact = exact_logits(problem)
    z, means = (t.detach().double() for t in (problem.z, problem.means))
    length = (z - means.mean(0)).norm(dim=1)[:, None]
    # variances are within e^0.5 of one another
    bound = 3 * UNIT * 2 * (length * (means - means.mean(0)).norm(dim=1) + 0.5 * length.square())
    given = problem.z, problem.means, problem.log_var
    assert ((gm_logits(*given, matmul="bfloat16") - exact).abs() <= bound).all()
    terms = mixture_terms(problem.z, problem.y, problem.means, problem.log_var, matmul="bfloat16")
    assert ((terms.logits - exact).abs() <= bound).all()


def test_what_all_classes_share_is_not_rounded():
    """½ Σ z²/λ is 2000 here: rounded to 8 bits it would be off by 4 nats, and differently for each sample's classes."""
    generator = torch.Generator().manual_seed(0)
    z, means = torch.randn(50, 1000, generator=generator), 0.02 * torch.randn(40, 1000, generator=generator)
    log_var = -1.4 + 0.001 * torch.randn(40, 1000, generator=generator)
    exact = gm_logits(z.double(), means.double(), log_var.double())
    y = torch.arange(50) % 40
    terms = mixture_terms(z, y, means, log_var, matmul="bfloat16")
    for logits in (gm_logits(z, means, log_var, matmul="bfloat16"), terms.logits):
        assert (logits - exact).abs().max() < 0.1


def test_the_true_class_keeps_float32():
    problem = random_problem("diagonal", n=20, k=30, d=64, dtype=torch.float32)
    options = {"likelihood": "component"}
    given = problem.z, problem.y, problem.means, problem.log_var
    rounded, full = mixture_terms(*given, **options, matmul="bfloat16"), mixture_terms(*given, **options)
    assert torch.equal(rounded.likelihood, full.likelihood)
    own = problem.y[:, None]
    assert torch.equal(rounded.logits.gather(1, own), full.logits.gather(1, own))


@pytest.mark.parametrize("class_chunk", [None, 1, 7])
@pytest.mark.parametrize("likelihood", ["component", "mixture_bound"])
@every_covariance
def test_values_and_gradients_are_float64_but_for_the_rounding(covariance, likelihood, class_chunk):
    problem = random_problem(covariance, n=40, k=30, d=64, scale=0.3, dtype=torch.float32)
    given = problem.z, problem.y, problem.means, problem.log_var
    options = {"margin": 0.3, "likelihood": likelihood}

    def results(given, leaves, **more):
        classification, term = mixture_terms(*given, **options, **more)[:2]
        return classification, term, torch.autograd.grad(classification.sum() + 0.1 * term.sum(), leaves)

    double = [t if t is None or t.dtype == torch.int64 else t.detach().double().requires_grad_() for t in given]
    leaves = [t for t in double if t is not None and t.requires_grad]
    classification, term, gradients = results(double, leaves)
    rounded = results(given, problem.leaves, matmul="bfloat16", class_chunk=class_chunk)
    torch.testing.assert_close(rounded[0].double(), classification, rtol=0.02, atol=0.02)
    torch.testing.assert_close(rounded[1].double(), term, rtol=2e-3, atol=2e-3)
    assert len(rounded[2]) == len(gradients)
    for full, other in zip(gradients, rounded[2], strict=True):
        assert (full - other).norm() < 0.01 * full.norm()


@every_covariance
def test_more_than_one_block_of_classes_changes_nothing(covariance, monkeypatch):
    import drumlin.functional._fused as module

    problem = random_problem(covariance, n=40, k=30, d=64, scale=0.3, dtype=torch.float32)

    def run():
        terms = mixture_terms(problem.z, problem.y, problem.means, problem.log_var, matmul="bfloat16")
        loss = terms.classification.sum() + 0.1 * terms.likelihood.sum()
        return [terms.classification, terms.logits, *torch.autograd.grad(loss, problem.leaves)]

    one = run()
    monkeypatch.setattr(module, "_BLOCK_CLASSES", 11)
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 1)
    for a, b in zip(one, run(), strict=True):
        assert (a - b).norm() <= 0.01 * a.norm()


@every_covariance
def test_log_density_in_chunks(covariance):
    problem = random_problem(covariance, n=20, k=30, d=64, scale=0.3, dtype=torch.float32)
    given = problem.z, problem.means, problem.log_var
    exact = gm_log_density(*(None if t is None else t.double() for t in given))
    for class_chunk in (None, 4):
        rounded = gm_log_density(*given, class_chunk=class_chunk, matmul="bfloat16")
        torch.testing.assert_close(rounded.double(), exact, rtol=0, atol=0.2)


@pytest.mark.parametrize("matmul", ["float32", "bfloat16"])
def test_float64_is_never_rounded(matmul):
    problem = random_problem("diagonal", n=20, k=30, d=64, dtype=torch.float64)
    given = problem.z, problem.y, problem.means, problem.log_var
    assert torch.equal(mixture_terms(*given, matmul=matmul).classification, mixture_terms(*given).classification)
