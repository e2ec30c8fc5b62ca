"""The fused loss at its limits: few or no samples, classes and dimensions; tiny and huge numbers; other precisions."""

import math

import pytest
import torch

from drumlin.functional import gm_logits, mixture_terms
from reference import mixture as reference
from reference.problems import Problem, random_problem

COVARIANCES = ("identity", "isotropic", "diagonal")
LIKELIHOODS = ("component", "mixture_bound")
every_loss = pytest.mark.parametrize("likelihood", LIKELIHOODS)
every_covariance = pytest.mark.parametrize("covariance", COVARIANCES)


def fused(problem, **options):
    return mixture_terms(
        problem.z, problem.y, problem.means, problem.log_var, problem.log_prior, **{"margin": 0.3} | options
    )


def in_float64(problem):
    def leaf(tensor):
        return None if tensor is None else tensor.detach().double().requires_grad_()

    return Problem(leaf(problem.z), problem.y, leaf(problem.means), leaf(problem.log_var), leaf(problem.prior_logits))


def slow(problem, likelihood, margin=0.3):
    given = problem.z, problem.y, problem.means, problem.log_var, problem.prior
    return reference.classification(*given, margin=margin), reference.LIKELIHOODS[likelihood](*given)


def mean_gradients(problem, terms, weight=0.1):
    return torch.autograd.grad((terms[0] + weight * terms[1]).mean(), problem.leaves, retain_graph=True)


def denormals(tensor):
    """How many entries are denormal, by their bits: exponent zero, mantissa not."""
    bits = tensor.detach().contiguous().view(torch.int32)
    return int((((bits >> 23) & 0xFF == 0) & (bits & 0x7FFFFF != 0)).sum())


def test_the_count_of_denormals_counts():
    assert denormals(torch.tensor([0.0, -0.0, 1.0, 1.2e-38, 1e-38, -1e-45])) == 2


@every_loss
@every_covariance
@pytest.mark.parametrize("sizes", [(1, 2, 1), (1, 5, 3), (5, 2, 3), (5, 5, 1), (2, 40, 2)], ids=str)
def test_small_sizes(sizes, covariance, likelihood):
    """N = 1, K = 2, D = 1, and more classes than samples, so that most of them occur in no batch; labels 0 and K−1."""
    n, k, d = sizes
    problem = random_problem(covariance, n=n, k=k, d=d)
    problem.y[0], problem.y[-1] = 0, k - 1
    expected = slow(problem, likelihood)
    for chunk in (None, 1, k):
        terms = fused(problem, likelihood=likelihood, class_chunk=chunk)
        for a, b in zip(terms[:2], expected, strict=True):
            torch.testing.assert_close(a, b)
        pairs = zip(mean_gradients(problem, terms), mean_gradients(problem, expected), strict=True)
        for a, b in pairs:
            torch.testing.assert_close(a, b)


@every_loss
@every_covariance
@pytest.mark.parametrize("class_chunk", [None, 2])
def test_no_sample(covariance, likelihood, class_chunk):
    """N = 0: empty terms, and gradients that are zero, not NaN."""
    problem = random_problem(covariance, n=1, prior=True)
    problem.z, problem.y = torch.zeros(0, 3, dtype=torch.float64, requires_grad=True), torch.zeros(0, dtype=torch.int64)
    terms = fused(problem, likelihood=likelihood, class_chunk=class_chunk)
    assert [t.shape for t in (terms.classification, terms.likelihood, terms.prediction)] == [(0,)] * 3
    assert class_chunk is not None or terms.logits.shape == (0, 5)
    for leaf, gradient in zip(
        problem.leaves, torch.autograd.grad((terms[0] + terms[1]).sum(), problem.leaves), strict=True
    ):
        assert torch.equal(gradient, torch.zeros_like(leaf))


def test_more_classes_than_a_block_and_labels_at_its_edges():
    """On a CPU classes come in blocks; labels first and last of a block, and of all."""
    problem = random_problem("diagonal", n=6, k=2100, d=2, scale=3.0)
    problem.y = torch.tensor([0, 1023, 1024, 2047, 2048, 2099])
    terms, whole = (
        fused(problem, likelihood="mixture_bound"),
        fused(problem, likelihood="mixture_bound", class_chunk=2100),
    )
    joint = gm_logits(problem.z, problem.means, problem.log_var)
    own = joint.gather(1, problem.y[:, None]).squeeze(1)
    distance = 0.5 * ((problem.z - problem.means[problem.y]) ** 2 / problem.log_var[problem.y].exp()).sum(1)
    shifted = joint.scatter(1, problem.y[:, None], (own - 0.3 * distance)[:, None])
    expected = torch.nn.functional.cross_entropy(shifted, problem.y, reduction="none")
    torch.testing.assert_close(terms.classification, expected)
    torch.testing.assert_close(whole.classification, expected)
    torch.testing.assert_close(whole.likelihood, terms.likelihood)
    assert terms.prediction.tolist() == whole.prediction.tolist() == joint.argmax(1).tolist()
    for a, b in zip(mean_gradients(problem, terms), mean_gradients(problem, whole), strict=True):
        torch.testing.assert_close(a, b)
    (expected_z,) = torch.autograd.grad(expected.sum(), problem.z)
    torch.testing.assert_close(torch.autograd.grad(terms.classification.sum(), problem.z)[0], expected_z)


@every_loss
@pytest.mark.parametrize("variance", [1e-3, 1e-6, 1e4])
def test_tiny_and_huge_variances(variance, likelihood):
    """At D = 256 the product of variances is 0 or infinite in float32; sums of logarithms are not."""
    problem = random_problem("diagonal", n=4, k=3, d=256, scale=1.0, dtype=torch.float32)
    problem.log_var.data = torch.full((3, 256), math.log(variance)) + 0.1 * problem.log_var.data
    exact = in_float64(problem)
    terms, expected = fused(problem, likelihood=likelihood), slow(exact, likelihood)
    for a, b in zip(terms[:2], expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=2e-5, atol=5e-4)  # ½ log|Λ| is up to 1,200
    for a, b in zip(mean_gradients(problem, terms), mean_gradients(exact, expected), strict=True):
        assert a.isfinite().all()
        torch.testing.assert_close(a.double(), b, rtol=1e-3, atol=float(b.abs().max()) * 1e-4)


@every_loss
@every_covariance
@pytest.mark.parametrize("dimension", [10, 100, 512])
def test_an_offset_costs_no_accuracy(dimension, covariance, likelihood):
    """Squared distances near 1 at an offset of 100, float32: expanded around 0 the worst error is 0.05 at D=10 and 6 at D=512."""
    generator = torch.Generator().manual_seed(1)
    means = 100 + torch.randn(20, dimension, generator=generator) * math.sqrt(0.5 / dimension)
    z = 100 + torch.randn(30, dimension, generator=generator) * math.sqrt(0.5 / dimension)
    log_var = {"identity": None, "isotropic": torch.zeros(20, 1), "diagonal": torch.zeros(20, dimension)}[covariance]
    problem = Problem(z, torch.arange(30) % 20, means, log_var, None)
    for leaf in problem.leaves:
        leaf.requires_grad_()
    exact = in_float64(problem)
    joint = gm_logits(exact.z, exact.means, exact.log_var)

    naive = z @ means.T - 0.5 * means.square().sum(1) - 0.5 * z.square().sum(1, keepdim=True)
    constant = joint + 0.5 * torch.cdist(exact.z, exact.means).square()
    assert (naive + constant - joint).abs().max() > 0.01, "the naive form errs, or this test shows nothing"

    terms = fused(problem, likelihood=likelihood)
    assert (terms.logits - joint).abs().max() < 5e-4
    assert (gm_logits(z, means, log_var) - joint).abs().max() < 5e-4
    expected = slow(exact, likelihood)
    for a, b in zip(terms[:2], expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-5)
    for a, b in zip(mean_gradients(problem, terms), mean_gradients(exact, expected), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-3, atol=float(b.abs().max()) * 1e-4)


def test_one_outlier_does_not_spoil_the_other_samples():
    """Operands are centred on something that a single sample of 1e5 cannot drag away."""
    problem = random_problem(n=64, k=10, d=16, dtype=torch.float32)
    problem.z.data[0] = 1e5
    alone = in_float64(problem)
    expected = reference.classification(alone.z[1:], alone.y[1:], alone.means, margin=0.3)
    torch.testing.assert_close(
        fused(problem, likelihood="component").classification[1:].double(), expected, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("weight", [0.0, 0.1])
@every_loss
@every_covariance
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_features_far_from_the_means(scale, covariance, likelihood, weight):
    """Unit scale at D = 512: gaps of hundreds of nats. Losses are right, no gradient is NaN, none is a denormal number."""
    problem = random_problem(covariance, n=48, k=200, d=512, scale=scale, dtype=torch.float32)
    exact = in_float64(problem)
    terms, expected = fused(problem, likelihood=likelihood), fused(exact, likelihood=likelihood)
    for a, b in zip(terms[:2], expected[:2], strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-3)
    for a, b in zip(mean_gradients(problem, terms, weight), mean_gradients(exact, expected, weight), strict=True):
        assert a.isfinite().all()
        assert denormals(a) == 0
        torch.testing.assert_close(a.double(), b, rtol=1e-2, atol=float(b.abs().max()) * 1e-4)


@pytest.mark.parametrize("gap", [60.0, 80.0, 88.0, 95.0, 104.0, 300.0])
@pytest.mark.parametrize("true", [0, 1, 2])
def test_no_denormal_gradients_at_any_gap(gap, true):
    """Two classes `gap` nats behind the first, whichever is true: each gradient is a normal number or zero."""
    distance = math.sqrt(2 * gap)
    means = torch.tensor([[0.0, 0.0], [distance, 0.0], [0.0, distance]], requires_grad=True)
    z = torch.zeros(1, 2, requires_grad=True)
    log_var = torch.zeros(3, 2, requires_grad=True)
    log_prior = torch.full((3,), -math.log(3), requires_grad=True)
    terms = mixture_terms(z, torch.tensor([true]), means, log_var, log_prior)
    for gradient in torch.autograd.grad(terms.classification.sum(), [z, means, log_var, log_prior]):
        assert denormals(gradient) == 0
    logits = gm_logits(z, means, log_var)
    gradients = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, torch.tensor([true])), [z, means])
    assert all(denormals(gradient) == 0 for gradient in gradients)


@pytest.mark.parametrize("class_chunk", [None, 1])
def test_gaps_of_2000_nats(class_chunk):
    means = torch.tensor([[0.0], [math.sqrt(4000.0)]], requires_grad=True)
    z = torch.zeros(2, 1, requires_grad=True)
    terms = mixture_terms(z, torch.tensor([0, 1]), means, class_chunk=class_chunk)
    assert terms.classification.tolist() == pytest.approx([0.0, 2000.0])
    assert terms.prediction.tolist() == [0, 0]
    right, wrong = (torch.autograd.grad(term, [z, means], retain_graph=True) for term in terms.classification)
    assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in right)
    assert wrong[0][1].item() == pytest.approx(-math.sqrt(4000.0))  # eq. 23: −(z−μ_0)·1 + (z−μ_1)·1
    assert wrong[1].squeeze(1).tolist() == pytest.approx([0.0, math.sqrt(4000.0)])


def test_a_small_loss_does_not_cancel():
    """A gap of 30 nats in float32: log(1 + e⁻³⁰), not 0; nothing to do with 1 + 1e-13 == 1."""
    means = torch.tensor([[0.0], [math.sqrt(60.0)]])
    loss = mixture_terms(torch.zeros(1, 1), torch.tensor([0]), means).classification
    assert loss.item() == pytest.approx(math.exp(-30), rel=1e-5)


@pytest.mark.parametrize("class_chunk", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("true", [0, 1, 2, 3])
def test_on_a_tie_the_first_class_wins(true, class_chunk):
    """As in argmax, whatever the label and the chunk: classes 1 and 3 have one mean, at which the features lie."""
    means = torch.tensor([[-4.0], [2.0], [8.0], [2.0]])
    log_prior = torch.zeros(4)  # every number here is exact
    terms = mixture_terms(
        torch.tensor([[2.0], [3.0]]), torch.tensor([true] * 2), means, None, log_prior, class_chunk=class_chunk
    )
    assert terms.prediction.tolist() == [1, 1]


@every_loss
@every_covariance
def test_bfloat16_features_are_computed_in_float32(covariance, likelihood):
    problem = random_problem(covariance, n=6, d=20, dtype=torch.float32)
    rounded = problem.z.detach().bfloat16().requires_grad_()
    same = rounded.detach().float().requires_grad_()
    results = []
    for z in (rounded, same):
        problem.z = z
        terms = fused(problem, likelihood=likelihood)
        results.append((*terms[:2], terms.logits, *mean_gradients(problem, terms)))
    assert results[0][0].dtype == results[0][2].dtype == torch.float32
    assert results[0][3].dtype == torch.bfloat16
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b.to(a.dtype), rtol=0, atol=0)


@every_loss
@every_covariance
def test_autocast_changes_nothing(covariance, likelihood):
    problem = random_problem(covariance, n=6, d=20, dtype=torch.float32)
    outside = fused(problem, likelihood=likelihood)
    gradients = mean_gradients(problem, outside)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = fused(problem, likelihood=likelihood)
        logits = gm_logits(problem.z, problem.means, problem.log_var)
        inner = mean_gradients(problem, inside)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, gm_logits(problem.z, problem.means, problem.log_var))
    for a, b in zip((*outside[:2], *gradients), (*inside[:2], *inner), strict=True):
        assert torch.equal(a, b)


def test_float64_features_with_float32_means_are_computed_in_float64():
    problem = random_problem(dtype=torch.float32)
    terms = mixture_terms(problem.z.double(), problem.y, problem.means)
    assert terms.classification.dtype == torch.float64


@every_loss
def test_chunks_keep_no_logits(likelihood):
    assert fused(random_problem(), likelihood=likelihood, class_chunk=2).logits is None


@pytest.mark.parametrize("class_chunk", [None, 2])
def test_inputs_are_left_as_they_were_and_backward_can_be_repeated(class_chunk):
    problem = random_problem("diagonal", prior=True)
    before = [leaf.detach().clone() for leaf in problem.leaves]
    terms = fused(problem, class_chunk=class_chunk)
    loss, logits = (terms[0] + terms[1]).sum(), None if class_chunk else terms.logits.clone()
    first = torch.autograd.grad(loss, problem.leaves, retain_graph=True)
    second = torch.autograd.grad(loss, problem.leaves)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, problem.leaves, strict=True))
    assert logits is None or torch.equal(terms.logits, logits)


@pytest.mark.parametrize("log_var", [None, torch.zeros(3, 2)])
def test_features_changed_in_place_before_the_backward_pass_are_noticed(log_var: torch.Tensor | None) -> None:
    z = torch.randn(4, 2).requires_grad_()
    changed = z * 1.0
    # means this near the origin are not centred: the features are kept as they are
    terms = mixture_terms(changed, torch.tensor([0, 1, 2, 0]), 0.01 * torch.randn(3, 2), log_var)
    changed.mul_(100)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        terms.classification.sum().backward()


def test_one_outlier_does_not_cost_the_others_their_accuracy() -> None:
    torch.manual_seed(0)
    means = torch.randn(5, 100) + 100
    y = torch.arange(5).repeat(4)
    z = means[y] + torch.randn(20, 100)
    z[0] *= 20
    exact = mixture_terms(z.double(), y, means.double()).classification
    assert (mixture_terms(z, y, means).classification - exact)[1:].abs().max() < 1e-3
