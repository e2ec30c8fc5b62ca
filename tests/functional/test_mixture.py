"""Values of log densities and losses: by hand, from the slow reference, from closed forms of the papers, from torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from drumlin.functional import gm_logits, gm_loss, lgm_loss, mixture_terms
from reference import mixture as reference
from reference.problems import random_problem

COVARIANCES = ("identity", "isotropic", "diagonal")
LIKELIHOODS = ("component", "mixture_bound")
MARGINS = ("adaptive", "constant")
TIGHT = {"rtol": 1e-10, "atol": 1e-10}


def fused(problem, *, likelihood, margin=0.7, margin_kind="adaptive", **options):
    return mixture_terms(
        problem.z,
        problem.y,
        problem.means,
        problem.log_var,
        problem.log_prior,
        margin=margin,
        margin_kind=margin_kind,
        likelihood=likelihood,
        **options,
    )


def slow(problem, *, likelihood, margin=0.7, margin_kind="adaptive"):
    given = problem.z, problem.y, problem.means, problem.log_var, problem.prior
    classification = reference.classification(*given, margin=margin, margin_kind=margin_kind)
    return classification, reference.LIKELIHOODS[likelihood](*given)


def gradients(problem, classification, likelihood):
    """Gradients of a weighted sum, so that each sample and each term counts differently."""
    n = len(classification)
    first, second = torch.linspace(0.3, 1.1, n).to(classification), torch.linspace(-0.4, 0.9, n).to(classification)
    total = (classification * first).sum() + (likelihood * second).sum()
    return torch.autograd.grad(total, problem.leaves)


def agrees(problem, **options):
    chunk = options.pop("class_chunk", None)
    terms = fused(problem, class_chunk=chunk, **options)
    expected = slow(problem, **options)
    pairs = list(zip(terms[:2], expected, strict=True))
    pairs += zip(gradients(problem, *terms[:2]), gradients(problem, *expected), strict=True)
    return all(torch.allclose(a, b, **TIGHT) for a, b in pairs)


# Two classes on a line, means 0 and 2, z = 0: d = (0, 2), logits differ by 2.
LINE = torch.zeros(1, 1), torch.tensor([[0.0], [2.0]])
HAND = {
    "own class": (0, {}, math.log1p(math.exp(-2)), 0.5 * (0 + 4)),
    "other class": (1, {}, math.log1p(math.exp(2)), 2.0),
    "adaptive margin on distance 0 does nothing": (0, {"margin": 0.5}, math.log1p(math.exp(-2)), 2.0),
    "adaptive margin": (1, {"margin": 0.5}, math.log1p(math.exp(3)), 2.0),
    "constant margin": (0, {"margin": 0.5, "margin_kind": "constant"}, math.log1p(math.exp(-1.5)), 2.0),
    "component": (1, {"likelihood": "component"}, math.log1p(math.exp(2)), 2.0),
    "component of the own mean": (0, {"likelihood": "component"}, math.log1p(math.exp(-2)), 0.0),
    # d_1 = 2/4, log joint 0 and −½ − ½ log 4
    "variance 4": (1, {"log_var": [[0.0], [math.log(4)]], "likelihood": "component"}, None, 0.5 + 0.5 * math.log(4)),
    "variance 4, bound": (1, {"log_var": [[0.0], [math.log(4)]]}, None, 0.5 * (1 + math.log(4))),
    "prior": (1, {"log_prior": [math.log(0.2), math.log(0.8)]}, math.log1p(0.25 * math.exp(2)), 0.8 * 4),
}


@pytest.mark.parametrize(("y", "options", "classification", "likelihood"), HAND.values(), ids=HAND)
def test_by_hand(y, options, classification, likelihood):
    options = {k: torch.tensor(v) if isinstance(v, list) else v for k, v in options.items()}
    if classification is None:
        classification = math.log1p(math.exp(0.5 + 0.5 * math.log(4)))
    terms = mixture_terms(*LINE[:1], torch.tensor([y]), LINE[1], **options)
    torch.testing.assert_close(terms.classification, torch.tensor([classification]))
    torch.testing.assert_close(terms.likelihood, torch.tensor([likelihood]))


def test_logits_by_hand():
    z, means = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0], [3.0, 3.0]])
    log_var = torch.tensor([[0.0, 0.0], [math.log(9), math.log(0.25)]])
    prior = torch.tensor([0.75, 0.25])
    constant = -math.log(2 * math.pi)
    expected = [math.log(0.75) - 12.5 + constant, math.log(0.25) - math.log(3 * 0.5) - 2.0 + constant]
    torch.testing.assert_close(gm_logits(z, means, log_var, prior.log()), torch.tensor([expected]))


@pytest.mark.parametrize("class_chunk", [None, 1, 3, 5])
@pytest.mark.parametrize("prior", [False, True], ids=["uniform", "learned"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("margin_kind", MARGINS)
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_equals_the_reference(covariance, margin_kind, likelihood, prior, class_chunk):
    problem = random_problem(covariance, prior=prior)
    assert agrees(problem, likelihood=likelihood, margin_kind=margin_kind, class_chunk=class_chunk)


@pytest.mark.parametrize("prior", [False, True], ids=["uniform", "given"])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_logits_equal_the_reference_twice_over(covariance, prior):
    """`gm_logits`, and those of the fused loss: full log p(z, k), and the prediction is their argmax."""
    problem = random_problem(covariance, prior=prior, n=9)
    expected = reference.log_joint(problem.z, problem.means, problem.log_var, problem.prior)
    logits = gm_logits(problem.z, problem.means, problem.log_var, problem.log_prior)
    torch.testing.assert_close(logits, expected, **TIGHT)
    weights = torch.linspace(-1, 1, logits.numel(), dtype=logits.dtype).view_as(logits)
    for a, b in zip(
        torch.autograd.grad((logits * weights).sum(), problem.leaves),
        torch.autograd.grad((expected * weights).sum(), problem.leaves),
        strict=True,
    ):
        torch.testing.assert_close(a, b, **TIGHT)
    terms = fused(problem, likelihood="component")
    torch.testing.assert_close(terms.logits, expected.detach(), **TIGHT)
    assert not terms.logits.requires_grad
    assert terms.prediction.tolist() == expected.argmax(1).tolist()


MUTANTS = {
    "no half in the distance": ("half_distance", lambda z, mean, log_var: ((z - mean) ** 2 / log_var.exp()).sum()),
    "distance not weighted": ("half_distance", lambda z, mean, log_var: 0.5 * ((z - mean) ** 2).sum()),
    "weighted by the variance": (
        "half_distance",
        lambda z, mean, log_var: 0.5 * ((z - mean) ** 2 * log_var.exp()).sum(),
    ),
    "sign of the log-determinant": ("half_log_determinant", lambda log_var: -0.5 * log_var.sum()),
    "no half in the log-determinant": ("half_log_determinant", lambda log_var: log_var.sum()),
    "margin dropped": ("with_margin", lambda distance, margin, kind: distance),
    "margin in place of 1 + margin": ("with_margin", lambda distance, margin, kind: distance * margin),
    "off by one class": ("true_class", lambda y: int(y) - 1),
}


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize(("name", "wrong"), MUTANTS.values(), ids=MUTANTS)
def test_a_wrong_formula_is_noticed(monkeypatch, name, wrong, likelihood):
    problem = random_problem("diagonal", prior=True)
    problem.y.clamp_min_(1)
    assert agrees(problem, likelihood=likelihood)
    monkeypatch.setattr(reference, name, wrong)
    assert not agrees(problem, likelihood=likelihood)


@pytest.mark.parametrize("margin_kind", MARGINS)
def test_closed_form_gradients(margin_kind):
    """L eq. 19-23, per sample: p with margin, C of the true class in eq. 21, x_i in eq. 23; λ(d_y + ½ log|Λ_y|) included."""
    problem, margin, weight = random_problem("diagonal", n=6, k=4), 0.7, 0.1
    terms = fused(problem, likelihood="component", margin=margin, margin_kind=margin_kind)
    means, var = problem.means.detach(), problem.log_var.detach().exp()
    for n, label in enumerate(problem.y.tolist()):
        loss = terms.classification[n] + weight * terms.likelihood[n]
        by_z, by_means, by_log_var = torch.autograd.grad(loss, problem.leaves, retain_graph=True)
        x = problem.z[n].detach()
        distance = 0.5 * ((x - means) ** 2 / var).sum(1)
        factor = 1 + margin if margin_kind == "adaptive" else 1.0
        extra = margin * distance[label] if margin_kind == "adaptive" else margin
        joint = -distance - 0.5 * var.log().sum(1)
        joint[label] -= extra
        p = joint.softmax(0)
        pull = (1 - p[label]) * factor + weight
        expected_means = p[:, None] * (x - means) / var  # eq. 20
        expected_means[label] = pull * (means[label] - x) / var[label]  # eq. 19
        square = (x - means) ** 2
        expected_var = -0.5 * p[:, None] * (1 - square / var) / var  # eq. 22
        expected_var[label] = (
            -0.5 * (pull * square[label] / var[label] - (1 - p[label] + weight)) / var[label]
        )  # eq. 21
        others = torch.arange(4) != label
        expected_z = pull * (x - means[label]) / var[label]
        expected_z -= (p[:, None] * (x - means) / var)[others].sum(0)  # eq. 23
        torch.testing.assert_close(by_means, expected_means, **TIGHT)
        torch.testing.assert_close(by_log_var, expected_var * var, **TIGHT)
        torch.testing.assert_close(by_z[n], expected_z, **TIGHT)


@pytest.mark.parametrize("prior", [False, True], ids=["uniform", "given"])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_density_equals_torch_distributions(covariance, prior):
    problem = random_problem(covariance, prior=prior)
    scale = reference.spread(problem.log_var, problem.means).mul(0.5).exp()
    weights = torch.full((5,), 0.2, dtype=torch.float64) if problem.prior is None else problem.prior
    mixture = MixtureSameFamily(Categorical(probs=weights), Independent(Normal(problem.means, scale), 1))
    density = gm_logits(problem.z, problem.means, problem.log_var, problem.log_prior).logsumexp(1)
    torch.testing.assert_close(density, mixture.log_prob(problem.z), **TIGHT)


def test_lemma_1_component_term_is_the_center_loss():
    """L eq. 16: −log N(z; μ_y, I) is the center loss ½‖z−μ_y‖² and (D/2) log 2π."""
    problem = random_problem(n=6)
    center = torch.stack(
        [0.5 * (z - problem.means[k]).square().sum() for z, k in zip(problem.z, problem.y, strict=True)]
    )
    torch.testing.assert_close(fused(problem, likelihood="component").likelihood, center, **TIGHT)
    log_density = gm_logits(problem.z, problem.means, None, torch.zeros(5)).gather(1, problem.y[:, None]).squeeze(1)
    torch.testing.assert_close(-log_density, center + 1.5 * math.log(2 * math.pi), **TIGHT)


def test_bound_is_the_mean_square_distance():
    """T eq. 7: at Λ = I and a uniform prior, (1/K) Σ_k ‖z−μ_k‖², without ½."""
    problem = random_problem(n=6)
    expected = torch.cdist(problem.z, problem.means).square().mean(1)
    torch.testing.assert_close(fused(problem, likelihood="mixture_bound").likelihood, expected, **TIGHT)


@pytest.mark.parametrize("class_chunk", [None, 2])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_gradcheck(covariance, likelihood, class_chunk):
    problem = random_problem(covariance, n=3, k=3, d=2)

    def loss(z, means, *log_var):
        terms = mixture_terms(z, problem.y, means, *log_var, margin=0.4, likelihood=likelihood, class_chunk=class_chunk)
        return terms.classification, terms.likelihood

    assert torch.autograd.gradcheck(loss, problem.leaves)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_logits_have_second_derivatives(covariance):
    problem = random_problem(covariance, n=2, k=3, d=2)
    assert torch.autograd.gradgradcheck(gm_logits, problem.leaves)


@pytest.mark.parametrize("class_chunk", [None, 2])
def test_the_fused_loss_refuses_second_derivatives(class_chunk):
    """Or else a gradient penalty would be a constant, without a word."""
    problem = random_problem()
    loss = fused(problem, likelihood="component", class_chunk=class_chunk).classification.sum()
    with pytest.raises(RuntimeError, match=r"once only.*head\.logits"):
        torch.autograd.grad(loss, problem.z, create_graph=True)


def test_named_losses_are_the_sums_of_the_terms():
    problem = random_problem("diagonal", prior=True)
    given = problem.z, problem.y, problem.means
    classification, component = slow(problem, likelihood="component", margin=0.5)
    loss = lgm_loss(*given, problem.log_var, margin=0.5, likelihood_weight=0.3, log_prior=problem.log_prior)
    torch.testing.assert_close(loss, classification + 0.3 * component, **TIGHT)
    problem.log_var = None
    classification, bound = slow(problem, likelihood="mixture_bound", margin=0.5)
    loss = gm_loss(*given, margin=0.5, likelihood_weight=0.3, log_prior=problem.log_prior)
    torch.testing.assert_close(loss, classification + 0.3 * bound, **TIGHT)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_only_the_gradients_asked_for(covariance):
    """Frozen means, or features without a graph, must not change the other gradients."""
    problem = random_problem(covariance)
    every = gradients(problem, *fused(problem, likelihood="mixture_bound")[:2])
    for leaf, expected in zip(problem.leaves, every, strict=True):
        for other in problem.leaves:
            other.requires_grad_(other is leaf)
        terms = fused(problem, likelihood="mixture_bound")
        alone = random_problem(covariance)
        weights = torch.linspace(0.3, 1.1, 4).to(terms.classification), torch.linspace(-0.4, 0.9, 4).to(alone.z)
        total = (terms.classification * weights[0]).sum() + (terms.likelihood * weights[1]).sum()
        torch.testing.assert_close(torch.autograd.grad(total, leaf)[0], expected, **TIGHT)
