"""What every head must do. A new head joins by one line in HEADS."""

import copy
import dataclasses

import pytest
import torch

from drumlin.heads import GaussianMixtureHead, Head, HeadOutput, SoftmaxHead, create_head
from drumlin.settings.heads import HEADS as SETTINGS
from drumlin.settings.heads import GaussianMixtureSettings, head_settings

HEADS = {
    "softmax": SoftmaxHead,
    "gm": GaussianMixtureHead.gm,
    "lgm": GaussianMixtureHead.lgm,
}
D, K, N = 4, 3, 7


@pytest.fixture(params=HEADS)
def make(request):
    """A head's constructor, whose parameters are then drawn at random (biases and log-variances are zero at the start)."""

    def build(in_features=D, num_classes=K, **options):
        torch.manual_seed(0)
        head = HEADS[request.param](in_features, num_classes, **options)
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        return head

    return build


@pytest.fixture
def z():
    return torch.randn(N, D, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def y():
    return torch.arange(N) % K


def test_sizes(make):
    head = make(5, 6)
    assert isinstance(head, Head)
    assert (head.in_features, head.num_classes) == (5, 6)
    assert "in_features=5, num_classes=6" in repr(head)


def test_without_labels_forward_is_logits(make, z):
    head = make()
    assert head(z).shape == (N, K)
    assert torch.equal(head(z), head.logits(z))


def test_logits_know_no_margin_and_no_mode(make, z):
    head = make()
    assert torch.equal(head.train().logits(z), head.eval().logits(z))


def test_logits_do_not_depend_on_the_rest_of_the_batch(make, z):
    head = make()
    torch.testing.assert_close(torch.cat([head.logits(row[None]) for row in z]), head.logits(z))


@pytest.mark.parametrize("training", [True, False])
def test_output(make, z, y, training):
    head = make().train(training)
    out = head(z, y)
    assert isinstance(out, HeadOutput)
    assert "classification" in out.terms
    assert all(term.shape == (N,) and term.dtype == torch.float32 for term in out.terms.values())
    logits = head.logits(z)
    assert out.prediction.tolist() == logits.argmax(1).tolist()
    if out.logits is not None:
        torch.testing.assert_close(out.logits, logits)


@pytest.mark.parametrize(
    ("reduction", "reduce"), [("mean", torch.mean), ("sum", torch.sum), ("none", lambda x: x)], ids=str
)
def test_loss_is_the_reduced_sum_of_terms(make, z, y, reduction, reduce):
    out = make(reduction=reduction)(z, y)
    torch.testing.assert_close(out.loss, reduce(sum(out.terms.values())))


def test_each_class_is_learned_from_its_samples(make, z):
    """A step of descent on features and parameters raises p(k|z), for every k, the last included."""
    for k in range(K):
        head, x = make(), z.clone().requires_grad_()
        before = head.logits(x).log_softmax(1)[:, k].mean()
        head(x, torch.full((N,), k)).terms["classification"].mean().backward()
        with torch.no_grad():
            x -= 0.01 * x.grad
            for parameter in head.parameters():
                parameter -= 0.01 * parameter.grad
            assert head.logits(x).log_softmax(1)[:, k].mean() > before


def test_every_parameter_has_a_finite_gradient(make, z, y):
    """Also of a class that does not occur."""
    head = make(num_classes=K + 1)
    head(z, y).loss.backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_gradcheck(make, y):
    head = make().double()
    x = torch.randn(N, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    parameters = dict(head.named_parameters())

    def terms(z, *values):
        given = dict(zip(parameters, values, strict=True))
        return tuple(torch.func.functional_call(head, given, (z, y)).terms.values())

    values = [p.detach().clone().requires_grad_() for p in parameters.values()]
    assert torch.autograd.gradcheck(terms, [x, *values])


def test_logits_are_twice_differentiable(make):
    head = make().double()
    x = torch.randn(2, D, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(head.logits, x)


def test_bfloat16_features_and_autocast_give_float32(make, z, y):
    head = make()
    half = z.bfloat16()
    for x in (half, half.float()):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            inside, logits = head(x, y), head(x)
        assert inside.loss.dtype == logits.dtype == torch.float32
        assert torch.equal(inside.loss, head(half.float(), y).loss)
        assert torch.equal(logits, head(half.float()))


def test_parameters_are_neither_cast_nor_moved(make, z, y):
    head = make()
    before = {name: (p.data_ptr(), p.dtype) for name, p in head.named_parameters()}
    head(z.bfloat16(), y).loss.backward()
    head(z.double())
    assert before == {name: (p.data_ptr(), p.dtype) for name, p in head.named_parameters()}


@pytest.mark.parametrize("n", [0, 1])
def test_few_samples(make, n):
    head = make(reduction="sum")
    out = head(torch.zeros(n, D), torch.zeros(n, dtype=torch.int64))
    assert all(term.shape == (n,) for term in out.terms.values())
    assert out.prediction.shape == (n,)
    out.loss.backward()
    for parameter in head.parameters():
        assert parameter.grad.isfinite().all()
        assert n or not parameter.grad.any()


def test_two_classes_and_one_dimension(make):
    out = make(1, 2)(torch.tensor([[0.5], [-0.5]]), torch.tensor([0, 1]))
    assert out.loss.isfinite()


def test_param_groups_hold_every_parameter_once(make):
    head = make()
    groups = head.param_groups(0.3, 0.01)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in head.parameters())
    assert all(group["params"] for group in groups)
    torch.optim.SGD(groups, lr=1.0)


def test_state_round_trip(make, z, y):
    head = make()
    head(z, y)
    other = make()
    torch.manual_seed(5)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    other.load_state_dict(copy.deepcopy(head.state_dict()))
    assert torch.equal(other(z, y).loss, head(z, y).loss)
    assert torch.equal(other(z), head(z))


def test_deepcopy_is_independent(make, z, y):
    head = make()
    other = copy.deepcopy(head)
    before = head.logits(z)
    assert torch.equal(other(z, y).loss, head(z, y).loss)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += torch.randn_like(parameter)
    assert torch.equal(head.logits(z), before)
    assert not torch.equal(other.logits(z), before)


def test_class_weights(make, z, y):
    head = make()
    plain, logits = head(z, y), head(z)
    weights = torch.tensor([1.0, 0.25, 4.0])
    head.set_class_weights(weights)
    out = head(z, y)
    for name, term in plain.terms.items():
        torch.testing.assert_close(out.terms[name], term * weights[y])
    torch.testing.assert_close(out.loss, (sum(plain.terms.values()) * weights[y]).mean())
    assert torch.equal(head(z), logits)
    assert "class_weights" not in head.state_dict()
    head.set_class_weights(None)
    assert torch.equal(head(z, y).loss, plain.loss)


@pytest.mark.parametrize(
    "weights", [[1.0, 2.0], [1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 1.0], [1.0, -1.0, 1.0], [1.0, float("nan"), 1.0]], ids=str
)
def test_refuses_class_weights(make, weights):
    with pytest.raises(ValueError, match=r"class weights must be 3 positive numbers, got \["):
        make().set_class_weights(torch.tensor(weights))


def test_refuses_sizes(make):
    with pytest.raises(ValueError, match="in_features must be at least 1, got 0"):
        make(0, 3)
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 1: one class leaves nothing to decide"):
        make(3, 1)
    with pytest.raises(ValueError, match="reduction must be one of mean, sum, none, got 'median'"):
        make(reduction="median")


@pytest.mark.parametrize("shape", [(N, D + 1), (D,), (N, D, 1)], ids=str)
def test_refuses_features_of_another_shape(make, y, shape):
    for given in ((), (y,)):
        with pytest.raises(ValueError, match=r"z must be features of shape \(N, 4\), got \("):
            make()(torch.zeros(shape), *given)


def test_refuses_integer_features(make):
    with pytest.raises(ValueError, match=r"z must be floating point, got torch\.int64"):
        make()(torch.zeros(N, D, dtype=torch.int64))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(N), r"y must be int64 labels of shape \(7,\), got torch\.float32 of shape \(7,\)"),
        (torch.zeros(N, dtype=torch.int32), r"y must be int64 .* got torch\.int32"),
        (
            torch.zeros(N - 1, dtype=torch.int64),
            r"y must be int64 labels of shape \(7,\), got torch\.int64 of shape \(6,\)",
        ),
        (torch.zeros(N, 1, dtype=torch.int64), r"got torch\.int64 of shape \(7, 1\)"),
        (torch.tensor([0, 1, 2, 0, 1, 2, 3]), r"y must lie in 0\.\.2, got 3"),
        (torch.tensor([0, 1, 2, 0, 1, 2, -1]), r"y must lie in 0\.\.2, got -1"),
    ],
)
def test_refuses_labels(make, z, labels, message):
    with pytest.raises(ValueError, match=message):
        make()(z, labels)


def test_features_that_are_not_finite_give_a_loss_that_is_not(make, z, y):
    """No head hides them: training looks at the loss and stops."""
    for bad in (float("nan"), float("inf")):
        z[2, 1] = bad
        assert not make(reduction="sum")(z, y).loss.isfinite()


@pytest.mark.parametrize("name", SETTINGS)
def test_created_from_its_settings_alone(name):
    """Every setting arrives in the head, under its own name."""
    settings = head_settings(name)
    if isinstance(settings, GaussianMixtureSettings):
        settings = dataclasses.replace(settings, warmup_steps=3, margin=0.25, min_var=0.5, class_chunk=2)
    head = create_head(settings, D, K)
    assert (head.in_features, head.num_classes) == (D, K)
    for field in dataclasses.fields(settings):
        if hasattr(head, field.name):
            assert getattr(head, field.name) == getattr(settings, field.name), field.name
    assert set(SETTINGS) == set(HEADS), "a head is in both lists or in neither"


def test_created_with_its_options():
    gm, softmax = head_settings("gm"), head_settings("softmax")
    learned = create_head(dataclasses.replace(gm, warmup_steps=0, learned_prior=True), D, K)
    assert [name for name, _ in learned.named_parameters()] == ["means", "prior_logits"]
    assert create_head(dataclasses.replace(gm, warmup_steps=0), D, K).log_prior is None
    assert create_head(dataclasses.replace(softmax, bias=False), D, K).linear.bias is None
