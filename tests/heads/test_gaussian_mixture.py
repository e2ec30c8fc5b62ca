import copy
import math
import warnings

import pytest
import torch

from drumlin.functional import gm_logits, gm_optimal_distance, mixture_terms
from drumlin.heads import GaussianMixtureHead

D, K, N = 4, 3, 6
COVARIANCES = ("identity", "isotropic", "diagonal")


@pytest.fixture
def z():
    return torch.randn(N, D, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def y():
    return torch.arange(N) % K


def hand_head(**options):
    """Means 0 and 2 on a line."""
    head = GaussianMixtureHead(1, 2, **options)
    with torch.no_grad():
        head.means.copy_(torch.tensor([[0.0], [2.0]]))
    return head


def values(head, z, y):
    return {name: term.detach() for name, term in head(z, y).terms.items()}


def test_by_hand():
    """z = 0 of class 1: d = (0, 2), 1 + α = 1.5, bound ½(0 + 4)."""
    head = hand_head(margin=0.5, likelihood_weight=0.2)
    terms = values(head, torch.zeros(1, 1), torch.tensor([1]))
    assert terms["classification"].item() == pytest.approx(math.log1p(math.exp(3)))
    assert terms["likelihood"].item() == pytest.approx(0.2 * 2)


def test_the_bare_default_is_gm_and_lgm_is_diagonal_with_component():
    bare, gm, lgm = GaussianMixtureHead(D, K), GaussianMixtureHead.gm(D, K), GaussianMixtureHead.lgm(D, K)
    kinds = [(head.covariance, head.likelihood) for head in (bare, gm, lgm)]
    assert kinds == [("identity", "mixture_bound"), ("identity", "mixture_bound"), ("diagonal", "component")]
    assert {head.margin for head in (bare, gm, lgm)} == {0.3}
    assert GaussianMixtureHead.lgm(D, K, covariance="isotropic").covariance == "isotropic"


@pytest.mark.parametrize("margin_kind", ["adaptive", "constant"])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_the_margin_acts_in_training_alone(covariance, margin_kind, z, y):
    head = GaussianMixtureHead(D, K, covariance=covariance, margin=0.8, margin_kind=margin_kind)
    plain = GaussianMixtureHead(D, K, covariance=covariance, margin=0.0)
    plain.load_state_dict(head.state_dict())
    without = values(plain, z, y)
    for name, term in values(head.eval(), z, y).items():
        assert torch.equal(term, without[name])
    trained = values(head.train(), z, y)
    assert (trained["classification"] > without["classification"]).all()
    assert torch.equal(trained["likelihood"], without["likelihood"])


def test_warmup_ramps_margin_and_weight_linearly(z, y):
    head = GaussianMixtureHead.lgm(D, K, margin=0.8, likelihood_weight=0.4, warmup_steps=4)
    for step in range(7):
        ramp = min(1.0, step / 4)
        expected = mixture_terms(z, y, head.means, head.log_var, margin=0.8 * ramp, likelihood="component")
        assert int(head.step) == step
        terms = values(head, z, y)
        torch.testing.assert_close(terms["classification"], expected.classification)
        torch.testing.assert_close(terms["likelihood"], 0.4 * ramp * expected.likelihood)
    assert values(head, z, y)["likelihood"].abs().min() > 0


def test_at_the_first_step_of_warmup_the_likelihood_term_is_zero(z, y):
    head = GaussianMixtureHead(D, K, warmup_steps=2)
    assert not head(z, y).terms["likelihood"].any()


def test_evaluation_does_not_advance_the_warmup_and_is_not_ramped(z, y):
    head = GaussianMixtureHead(D, K, warmup_steps=4).eval()
    full = GaussianMixtureHead(D, K).eval()
    full.load_state_dict(head.state_dict())
    assert torch.equal(head(z, y).loss, full(z, y).loss)
    head.train().logits(z)
    head(z)
    assert int(head.step) == 0


def test_warmup_survives_a_round_trip(z, y):
    head = GaussianMixtureHead.lgm(D, K, warmup_steps=5)
    head(z, y), head(z, y)
    state = copy.deepcopy(head.state_dict())
    assert int(state["step"]) == 2
    other = GaussianMixtureHead.lgm(D, K, warmup_steps=5)
    other.load_state_dict(state)
    for _ in range(4):
        assert torch.equal(head(z, y).loss, other(z, y).loss)


def test_param_groups():
    head = GaussianMixtureHead.lgm(D, K, prior="learned")
    fast, slow = head.param_groups(0.5, 0.01)
    assert {id(p) for p in fast["params"]} == {id(head.means), id(head.prior_logits)}
    assert slow["params"] == [head.log_var]
    assert (fast["lr"], slow["lr"]) == (0.5, pytest.approx(0.05))
    assert fast["weight_decay"] == slow["weight_decay"] == 0.0
    assert len(GaussianMixtureHead(D, K).param_groups(0.5, 0.01)) == 1


@pytest.mark.parametrize(("covariance", "shape"), [("identity", None), ("isotropic", (K, 1)), ("diagonal", (K, D))])
def test_variances(covariance, shape):
    head = GaussianMixtureHead(D, K, covariance=covariance, min_var=0.5)
    assert (None if head.log_var is None else tuple(head.log_var.shape)) == shape
    assert torch.equal(head.variances, torch.ones(K, D))
    if head.log_var is not None:
        head.log_var.data[0] = -5.0
        head.log_var.data[1] = math.log(3)
        expected = torch.tensor([0.5, 3.0, 1.0])[:, None].expand(K, D)
        torch.testing.assert_close(head.variances.detach(), expected)


def test_densities(z):
    """log_density is log p(z); component_log_prob + log prior is logits."""
    prior = torch.tensor([0.2, 0.5, 0.3])
    head = GaussianMixtureHead.lgm(D, K, prior=prior)
    head.log_var.data.normal_()
    expected = gm_logits(z, head.means, head.log_var, prior.log())
    torch.testing.assert_close(head.logits(z), expected)
    torch.testing.assert_close(head.log_density(z), expected.logsumexp(1))
    torch.testing.assert_close(head.component_log_prob(z), expected - prior.log())
    normal = torch.distributions.Normal(head.means[1], head.variances[1].sqrt())
    torch.testing.assert_close(head.component_log_prob(z)[:, 1], normal.log_prob(z).sum(1))


def test_component_log_prob_of_a_uniform_prior(z):
    head = GaussianMixtureHead(D, K)
    torch.testing.assert_close(head.component_log_prob(z), head.logits(z) + math.log(K))


def test_priors(z, y):
    assert GaussianMixtureHead(D, K).log_prior is None
    fixed = GaussianMixtureHead(D, K, prior=torch.tensor([0.2, 0.5, 0.3]))
    torch.testing.assert_close(fixed.log_prior.exp(), torch.tensor([0.2, 0.5, 0.3]))
    assert not fixed.log_prior.requires_grad
    assert "_log_prior" in fixed.state_dict()
    learned = GaussianMixtureHead(D, K, prior="learned")
    torch.testing.assert_close(learned.log_prior, torch.full((K,), -math.log(K)))
    learned(z, y).terms["likelihood"].sum().backward()
    assert not learned.prior_logits.grad.any(), "the bound holds the prior constant"
    learned(z, torch.zeros_like(y)).terms["classification"].sum().backward()
    assert learned.prior_logits.grad[0] < 0 < learned.prior_logits.grad[1]


def test_floor_warns_once_when_most_variances_lie_on_it(z, y):
    head = GaussianMixtureHead.lgm(D, K, min_var=0.1)
    head.log_var.data.view(-1)[: D * K // 2] = -9.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        head(z, y)  # exactly half
    head.log_var.data.view(-1)[: D * K // 2 + 1] = -9.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        head.eval()(z, y)
    head.train()
    with pytest.warns(UserWarning, match=r"more than half of the variances have reached the floor min_var=0\.1.*lower"):
        head(z, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        head(z, y)


def test_variances_on_the_floor_can_grow(y):
    """Features far out ask for larger variances; a plain clamp would hold them down for ever."""
    head = GaussianMixtureHead.lgm(D, K, min_var=0.1, margin=0.0)
    head.log_var.data[:, 0] = -9.0
    head(head.means[y].detach() + 5, y).terms["likelihood"].sum().backward()
    assert (head.log_var.grad[:, 0] < 0).all()


def test_start_has_means_at_the_optimal_distance():
    """On average over pairs, whatever D."""
    torch.manual_seed(0)
    for dimension in (16, 512):
        head = GaussianMixtureHead(dimension, 200)
        rms = torch.pdist(head.means.detach()).square().mean().sqrt()
        assert rms.item() == pytest.approx(gm_optimal_distance(200, 0.1), rel=0.05)
        first = head.means.clone()
        head.reset_parameters()
        assert not torch.equal(head.means, first)


def test_class_chunk_changes_neither_loss_nor_gradient(z, y):
    torch.manual_seed(0)
    whole = GaussianMixtureHead.lgm(D, K)
    chunked = GaussianMixtureHead.lgm(D, K, class_chunk=2)
    chunked.load_state_dict(whole.state_dict())
    a, b = whole(z, y), chunked(z, y)
    assert a.logits is not None
    assert b.logits is None
    torch.testing.assert_close(a.loss, b.loss)
    a.loss.backward(), b.loss.backward()
    for p, q in zip(whole.parameters(), chunked.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


def test_optimal_distance():
    assert GaussianMixtureHead.gm(100, 10).optimal_distance() == pytest.approx(2.725, abs=5e-4)
    assert GaussianMixtureHead.gm(9, 10, margin=1.0).optimal_distance() == pytest.approx(2.725, abs=5e-4)
    constant = GaussianMixtureHead.gm(100, 10, margin=1.0, margin_kind="constant").optimal_distance()
    assert constant == pytest.approx(math.sqrt(2 * (math.log(41) + 1)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance": "diagonal"}, "no finite optimal distance with learned covariances"),
        ({"covariance": "isotropic"}, "no finite optimal distance with learned covariances"),
        ({"likelihood": "component"}, "no finite optimal distance with the component likelihood"),
        ({"prior": "learned"}, "known for a uniform prior only"),
        ({"reduction": "sum"}, "known for reduction='mean', this head has 'sum'"),
        ({"num_classes": 6}, "6 means at equal distances need at least 5 feature dimensions, this head has 4"),
        ({"likelihood_weight": 0.0}, "likelihood_weight must lie strictly between 0 and 0.5, got 0"),
    ],
)
def test_refuses_an_optimal_distance(options, message):
    head = GaussianMixtureHead(**{"in_features": D, "num_classes": K} | options)
    with pytest.raises(ValueError, match=message):
        head.optimal_distance()


def test_five_classes_fit_four_dimensions():
    assert GaussianMixtureHead(4, 5).optimal_distance() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance": "full"}, "covariance must be one of identity, isotropic, diagonal, got 'full'"),
        ({"margin_kind": "large"}, "margin_kind must be one of adaptive, constant, got 'large'"),
        ({"likelihood": "mixture"}, "likelihood must be one of mixture_bound, component, got 'mixture'"),
        ({"matmul": "float16"}, "matmul must be one of float32, bfloat16, got 'float16'"),
        ({"margin": -0.1}, "margin must be a finite number of at least 0, got -0.1"),
        ({"margin": math.inf}, "margin must be a finite number of at least 0, got inf"),
        ({"likelihood_weight": -1.0}, "likelihood_weight must be a finite number of at least 0, got -1.0"),
        ({"likelihood_weight": math.nan}, "likelihood_weight must be a finite number of at least 0, got nan"),
        ({"warmup_steps": -1}, "warmup_steps must be a finite number of at least 0, got -1"),
        ({"min_var": 0.0}, "min_var must be a finite number above 0, got 0.0"),
        ({"min_var": math.inf}, "min_var must be a finite number above 0, got inf"),
        ({"class_chunk": 0}, r"class_chunk must lie in 1\.\.3 \(the number of classes\) or be None, got 0"),
        ({"class_chunk": 4}, r"class_chunk must lie in 1\.\.3 .* got 4"),
        ({"likelihood_weight": 0.5}, "likelihood_weight must be below 0.5 .* got 0.5.*collapse into one point"),
        ({"prior": "fitted"}, "prior must be None .*, a tensor of 3 probabilities, or 'learned', got 'fitted'"),
        ({"prior": torch.tensor([0.5, 0.5])}, r"prior must be 3 positive probabilities that sum to 1, got \[0.5"),
        ({"prior": torch.tensor([0.5, 0.6, -0.1])}, "prior must be 3 positive probabilities"),
        ({"prior": torch.tensor([0.5, 0.5, 0.5])}, "prior must be 3 positive probabilities"),
    ],
)
def test_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixtureHead(D, K, **options)


def test_a_weight_from_one_half_on_is_fine_without_the_bound_or_with_variances():
    GaussianMixtureHead.lgm(D, K, likelihood_weight=0.7)
    GaussianMixtureHead(D, K, likelihood="component", likelihood_weight=0.7)
    GaussianMixtureHead(D, K, covariance="isotropic", likelihood_weight=0.7)


def test_means_that_do_not_fit_say_how_much_they_take():
    with pytest.raises(
        ValueError, match=r"1000000000000 means of 1000 dimensions take 3,725,290\.3 GiB, more than there is"
    ):
        GaussianMixtureHead(1000, 10**12)


def test_the_density_in_chunks_is_the_density(z):
    torch.manual_seed(0)
    whole = GaussianMixtureHead.lgm(D, K, prior="learned").double()
    for parameter in whole.parameters():
        torch.nn.init.normal_(parameter)
    chunked = GaussianMixtureHead.lgm(D, K, prior="learned", class_chunk=2).double()
    chunked.load_state_dict(whole.state_dict())
    results = []
    for head in (whole, chunked):
        x = z.double().requires_grad_()
        density = head.log_density(x)
        results.append((density, *torch.autograd.grad(density.sum(), [x, *head.parameters()])))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_the_loss_goes_over_to_chunks_where_its_matrices_would_be_too_large(z, y, monkeypatch):
    head = GaussianMixtureHead.gm(D, K)
    dense = head(z, y)
    monkeypatch.setattr("drumlin.functional.mixture._DENSE_BYTES", 2 * 4 * len(z) * K - 1)
    monkeypatch.setattr("drumlin.functional.mixture._CHUNK_BYTES", 2 * 4 * len(z))
    chunked = head(z, y)
    assert dense.logits is not None
    assert chunked.logits is None
    assert chunked.prediction.tolist() == dense.prediction.tolist()
    torch.testing.assert_close(chunked.loss, dense.loss)
    monkeypatch.setattr("drumlin.functional.mixture._DENSE_BYTES", 2 * 4 * len(z) * K)
    assert head(z, y).logits is not None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gm", "lgm"])
@pytest.mark.filterwarnings("ignore")
def test_under_torch_compile_the_loss_is_the_same(z, y, kind):
    """The graph breaks where labels are checked; what follows runs as it is."""
    torch.manual_seed(0)
    head = getattr(GaussianMixtureHead, kind)(D, K)
    torch._dynamo.reset()
    compiled = torch.compile(lambda z, y: head(z, y).loss, backend="aot_eager")
    results = []
    for loss in (compiled, lambda z, y: head(z, y).loss):
        x = z.clone().requires_grad_()
        value = loss(x, y)
        results.append((value, *torch.autograd.grad(value, [x, *head.parameters()])))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)
