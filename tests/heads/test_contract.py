"""What every head must do. A new head joins by one line in HEADS, which says where it differs."""

import copy
import dataclasses
import functools
from collections.abc import Callable

import pytest
import torch

from drumlin.heads import (
    CenterHead,
    ContrastiveCenterHead,
    GaussianMixtureHead,
    Head,
    HeadOutput,
    IsotropicHead,
    LSoftmaxHead,
    MaxMahalanobisHead,
    MetricHead,
    ReverseCrossEntropyHead,
    SoftmaxHead,
    create_head,
)
from drumlin.settings.heads import HEADS as SETTINGS
from drumlin.settings.heads import head_settings


@dataclasses.dataclass(frozen=True)
class Contract:
    """A head's constructor, and what is true of this head but not of every one."""

    make: Callable[..., Head]
    options: dict[str, object] = dataclasses.field(default_factory=dict)
    """Options with which it is tested, other than the defaults."""
    classification: bool = True
    """Has a cross entropy among its terms."""
    samples_alone: bool = True
    """A sample's terms do not depend on the rest of its batch."""
    rotation: bool = True
    """Features and parameters rotated together: terms and logits stay."""
    translation: bool = True
    """Features and class points moved together, a bias making up for it: terms and logits stay."""
    settings: dict[str, object] = dataclasses.field(default_factory=dict)
    """Settings other than the defaults."""
    ramp: dict[str, object] = dataclasses.field(default_factory=dict)
    """Options with which a warm-up, an annealing or moving buffers make the second step differ from the first."""


_MIXTURE = {"margin": 0.25, "min_var": 0.5, "class_chunk": 2, "warmup_steps": 3, "learned_prior": True}
_ANNEALED = {"beta": 4.0, "gamma": 0.1, "power": 3.0}
HEADS = {
    "softmax": Contract(SoftmaxHead, settings={"label_smoothing": 0.1, "bias": False}),
    "l-softmax": Contract(
        LSoftmaxHead, {"beta": 1.0}, translation=False, settings={"margin": 3, **_ANNEALED}, ramp=_ANNEALED
    ),
    "center": Contract(
        CenterHead,
        settings={"center_weight": 0.5, "update": "gradient", "center_rate": 0.25},
        ramp={"center_weight": 1.0},
    ),
    "contrastive-center": Contract(ContrastiveCenterHead, settings={"weight": 0.5, "delta": 2.0}),
    "isotropic": Contract(IsotropicHead, samples_alone=False, settings={"weight": 0.5}),
    "rce": Contract(ReverseCrossEntropyHead),
    "max-mahalanobis": Contract(MaxMahalanobisHead, {"norm": 2.0}, settings={"norm": 3.0}),
    "triplet": Contract(
        MetricHead, samples_alone=False, settings={"margin": 2.0, "mining": "hard", "softmax_weight": 3.0}
    ),
    "contrastive": Contract(
        functools.partial(MetricHead, loss="contrastive"),
        samples_alone=False,
        settings={"margin": 2.0, "softmax_weight": 3.0},
    ),
    "gm": Contract(GaussianMixtureHead.gm, settings=_MIXTURE, ramp={"warmup_steps": 5}),
    "lgm": Contract(GaussianMixtureHead.lgm, rotation=False, settings=_MIXTURE, ramp={"warmup_steps": 5}),
}
_ALONE = {"softmax_weight": 0.0, "margin": 9.0}
VARIANTS = {
    "center by gradient": Contract(CenterHead, {"update": "gradient"}),
    "triplet alone": Contract(MetricHead, _ALONE, classification=False, samples_alone=False),
    "contrastive alone": Contract(
        MetricHead, {"loss": "contrastive", **_ALONE}, classification=False, samples_alone=False
    ),
}
"""Heads that an option makes work in another way."""
D, K, N = 4, 3, 7


@pytest.fixture(params=[*HEADS, *VARIANTS])
def contract(request):
    return (HEADS | VARIANTS)[request.param]


@pytest.fixture
def make(contract):
    """A head's constructor, whose parameters are then drawn at random (biases and log-variances are zero at the start)."""

    def build(in_features=D, num_classes=K, **options):
        torch.manual_seed(0)
        head = contract.make(in_features, num_classes, **contract.options | options)
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        return head

    return build


def once(head, z, y):
    """What a head says, asked of a copy: in training mode a call may count a step, or move a buffer."""
    return copy.deepcopy(head)(z, y)


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
def test_output(contract, make, z, y, training):
    head = make().train(training)
    logits = head.logits(z)
    out = head(z, y)
    assert isinstance(out, HeadOutput)
    assert ("classification" in out.terms) == contract.classification
    assert all(term.shape == (N,) and term.dtype == torch.float32 for term in out.terms.values())
    assert out.prediction.tolist() == logits.argmax(1).tolist()
    if out.logits is not None:
        torch.testing.assert_close(out.logits, logits)


@pytest.mark.parametrize(
    ("reduction", "reduce"),
    [("mean", torch.mean), ("sum", torch.sum), ("none", lambda x: x)],
    ids=["mean", "sum", "none"],
)
def test_loss_is_the_reduced_sum_of_terms(make, z, y, reduction, reduce):
    out = make(reduction=reduction)(z, y)
    torch.testing.assert_close(out.loss, reduce(sum(out.terms.values())))


def test_each_class_is_learned_from_its_samples(make, z):
    """A step of descent on features and parameters, or of running means, raises p(k|z), for every k, the last included."""
    for k in range(K):
        head, x = make(), z.clone().requires_grad_()
        before = head.logits(x).log_softmax(1)[:, k].mean()
        out = head(x, torch.full((N,), k))
        out.terms.get("classification", out.loss).mean().backward()
        with torch.no_grad():
            x -= 0.01 * x.grad
            for parameter in head.parameters():
                if parameter.grad is not None:  # centers are not in this term
                    parameter -= 0.01 * parameter.grad
            assert head.logits(x).log_softmax(1)[:, k].mean() > before


def test_every_parameter_has_a_finite_gradient(make, z, y):
    """Features too; also of a class that does not occur."""
    head = make(num_classes=K + 1)
    head(z.requires_grad_(), y).loss.backward()
    assert z.grad.isfinite().all()
    assert z.grad.any(1).all()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_gradcheck(make, y):
    head = make().double()
    x = torch.randn(N, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    parameters = dict(head.named_parameters())

    def terms(z, *values):
        given = dict(zip(parameters, values, strict=True))
        return tuple(torch.func.functional_call(copy.deepcopy(head), given, (z, y)).terms.values())

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
            inside, logits = once(head, x, y), head(x)
        assert inside.loss.dtype == logits.dtype == torch.float32
        assert torch.equal(inside.loss, once(head, half.float(), y).loss)
        assert torch.equal(logits, head(half.float()))


def test_parameters_are_neither_cast_nor_moved(make, z, y):
    head = make()
    z.requires_grad_()
    before = {name: (p.data_ptr(), p.dtype) for name, p in head.state_dict(keep_vars=True).items()}
    head(z.bfloat16(), y).loss.backward()
    head(z.double())
    assert before == {name: (p.data_ptr(), p.dtype) for name, p in head.state_dict(keep_vars=True).items()}


@pytest.mark.parametrize("n", [0, 1])
def test_few_samples(make, n):
    head = make(reduction="sum")
    for x in (torch.zeros(n, D), torch.ones(n, D)):
        x.requires_grad_()
        head.zero_grad()
        out = head(x, torch.zeros(n, dtype=torch.int64))
        assert all(term.shape == (n,) for term in out.terms.values())
        assert out.loss.isfinite()
        assert out.prediction.shape == (n,)
        out.loss.backward()
        assert x.grad.isfinite().all()
        for parameter in head.parameters():
            assert parameter.grad.isfinite().all()
            assert n or not parameter.grad.any()


def test_two_classes_and_one_dimension(make):
    out = make(1, 2)(torch.tensor([[0.5], [-0.5]]), torch.tensor([0, 1]))
    assert out.loss.isfinite()


def test_class_means_are_detached_points_of_feature_space(make):
    means = make().class_means
    assert means is None or (means.shape == (K, D) and not means.requires_grad)


def test_param_groups_hold_every_parameter_once(make):
    head = make()
    groups = head.param_groups(0.3, 0.01)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in head.parameters())
    assert all(group["params"] for group in groups)
    network = torch.nn.Linear(1, D)  # without which there may be nothing to optimise
    torch.optim.SGD([*groups, {"params": network.parameters()}], lr=1.0)


def test_state_round_trip_in_the_middle_of_training(contract, make, z, y):
    """Of whatever has a warm-up or an annealing: two steps, saved and loaded, then the same two more."""
    head, other = make(**contract.ramp), make(**contract.ramp)
    torch.manual_seed(5)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    losses = [head(z, y).loss for _ in range(2)]
    assert not contract.ramp or not torch.equal(*losses)
    other.load_state_dict(copy.deepcopy(head.state_dict()))
    for _ in range(2):
        assert torch.equal(other(z, y).loss, head(z, y).loss)
    assert torch.equal(other(z), head(z))
    assert all(torch.equal(a, b) for a, b in zip(head.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("sizes", [(D, K + 1), (D + 1, K)], ids=["K", "D"])
def test_a_state_of_another_size_is_refused(make, sizes):
    with pytest.raises(RuntimeError, match=r"size mismatch for .*: copying a param with shape torch\.Size"):
        make().load_state_dict(make(*sizes).state_dict())


def test_deepcopy_is_independent(contract, make, z, y):
    head = make()
    other = copy.deepcopy(head)
    before = head.logits(z)
    assert torch.equal(once(other, z, y).loss, once(head, z, y).loss)
    with torch.no_grad():
        for tensor in (*other.parameters(), *other.buffers()):
            tensor += torch.ones_like(tensor).cumsum(0)
    assert torch.equal(head.logits(z), before)
    assert not torch.equal(other.logits(z), before)


def test_a_sample_does_not_depend_on_its_batch(contract, make, z, y):
    """Terms equal those of N separate calls, but for losses of a batch."""
    head = make()
    whole = once(head, z, y).terms
    single = [once(head, z[n : n + 1], y[n : n + 1]).terms for n in range(N)]
    same = [torch.allclose(term, torch.cat([one[name] for one in single]), 1e-5, 1e-6) for name, term in whole.items()]
    assert all(same) == contract.samples_alone


def test_autocast_is_as_exact_as_float32(make, z, y):
    """Terms and logits within 1e-5 of float64, the features' gradient within 1e-5 of its largest entry."""

    def outcome(head, x, *, autocast):
        x = x.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            out, logits = once(head, x, y), head(x)
        out.loss.backward()
        return [logits.detach(), *(term.detach() for term in out.terms.values()), x.grad]

    inside = outcome(make(), z, autocast=True)
    for value, exact in zip(inside, outcome(make().double(), z.double(), autocast=False), strict=True):
        torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-5 * float(exact.abs().max()))


def outcomes(head, z, y):
    return [once(head, z, y).loss, *once(head, z, y).terms.values(), head.logits(z)]


def class_tensors(head):
    """Parameters and buffers with a row a class."""
    return [t for t in head.state_dict().values() if t.shape[:1] == (K,)]


def test_classes_have_no_order(make, z, y):
    """Renaming classes renames the columns of logits, and nothing else."""
    head, order = make().double(), torch.tensor([1, 2, 0])
    *terms, logits = outcomes(head, z.double(), y)
    for tensor in class_tensors(head):
        tensor.copy_(tensor[order].clone())
    *renamed, columns = outcomes(head, z.double(), order.argsort()[y])
    torch.testing.assert_close(renamed, terms)
    torch.testing.assert_close(columns, logits[:, order])


def test_rotation(contract, make, z, y):
    head = make().double()
    rotation = torch.linalg.qr(torch.randn(D, D, dtype=torch.float64)).Q
    before = outcomes(head, z.double(), y)
    for tensor in class_tensors(head):
        if tensor.shape == (K, D):
            tensor.copy_(tensor @ rotation)
    after = outcomes(head, z.double() @ rotation, y)
    assert all(torch.allclose(a, b) for a, b in zip(before, after, strict=True)) == contract.rotation


def test_translation(contract, make, z, y):
    head, shift = make().double(), torch.linspace(-1, 2, D, dtype=torch.float64)
    before = outcomes(head, z.double(), y)
    state = head.state_dict()
    for name, tensor in state.items():
        if name == "linear.bias":
            tensor -= state["linear.weight"] @ shift
        elif tensor.shape == (K, D) and name not in ("linear.weight", "log_var"):
            tensor += shift
    after = outcomes(head, z.double() + shift, y)
    assert all(torch.allclose(a, b) for a, b in zip(before, after, strict=True)) == contract.translation


def test_class_weights(make, z, y):
    head = make()
    plain, logits = once(head, z, y), head(z)
    weights = torch.tensor([1.0, 0.25, 4.0])
    head.set_class_weights(weights)
    out = once(head, z, y)
    for name, term in plain.terms.items():
        torch.testing.assert_close(out.terms[name], term * weights[y])
    torch.testing.assert_close(out.loss, (sum(plain.terms.values()) * weights[y]).mean())
    assert torch.equal(head(z), logits)
    assert "class_weights" not in head.state_dict()
    head.set_class_weights(None)
    assert torch.equal(once(head, z, y).loss, plain.loss)


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


def test_refuses_another_device(make, z, y):
    head, elsewhere = make(), torch.device("meta")
    for given in ((), (y.to(elsewhere),)):
        with pytest.raises(ValueError, match="z is on meta, the head on cpu: move one to the other"):
            head(z.to(elsewhere), *given)
    with pytest.raises(ValueError, match="y is on meta, z on cpu: move one to the other"):
        head(z, y.to(elsewhere))


def test_float16_and_features_that_are_not_contiguous(make, z, y):
    head = make()
    half = z.half()
    out = once(head, half, y)
    assert out.loss.dtype == torch.float32
    torch.testing.assert_close(out.loss, once(head, half.float(), y).loss)
    apart = torch.stack([z, z], 2)[..., 0]
    assert not apart.is_contiguous()
    torch.testing.assert_close(once(head, apart, y).loss, once(head, z, y).loss)


def test_features_that_are_not_finite_give_a_loss_that_is_not(make, z, y):
    """No head hides them: training looks at the loss and stops."""
    for bad in (float("nan"), float("inf")):
        z[2, 1] = bad
        assert not make(reduction="sum")(z, y).loss.isfinite()


def test_every_head_is_here():
    assert set(SETTINGS) == set(HEADS)


@pytest.mark.parametrize("name", HEADS)
def test_created_from_its_settings_alone(name):
    """Every setting arrives in the head, under its own name."""
    settings = head_settings(name, **HEADS[name].settings)
    head = create_head(settings, D, K)
    assert (head.in_features, head.num_classes) == (D, K)
    assert type(head) is type(HEADS[name].make(D, K))
    for field in dataclasses.fields(settings):
        if hasattr(head, field.name):
            assert getattr(head, field.name) == getattr(settings, field.name), field.name


@pytest.mark.parametrize("name", HEADS)
def test_settings_have_the_defaults_of_the_head(name):
    """None stands for what follows from the length of the training."""
    settings, head = head_settings(name), HEADS[name].make(D, K)
    for field in dataclasses.fields(settings):
        given = getattr(settings, field.name)
        if given is not None and hasattr(head, field.name):
            assert getattr(head, field.name) == given, field.name
    created = create_head(settings, D, K)
    assert repr(created) == repr(head)


def test_created_with_its_options():
    gm, softmax = head_settings("gm"), head_settings("softmax")
    learned = create_head(dataclasses.replace(gm, warmup_steps=0, learned_prior=True), D, K)
    assert [name for name, _ in learned.named_parameters()] == ["means", "prior_logits"]
    assert create_head(dataclasses.replace(gm, warmup_steps=0), D, K).log_prior is None
    assert create_head(dataclasses.replace(softmax, bias=False), D, K).linear.bias is None


def test_the_device_of_a_head(make, elsewhere):
    head = make()
    assert head.device == torch.device("cpu")
    has_tensors = any(True for _ in head.parameters()) or any(True for _ in head.buffers())
    assert head.to(elsewhere).device == (elsewhere if has_tensors else torch.device("cpu"))
