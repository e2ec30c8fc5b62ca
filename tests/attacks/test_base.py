"""What every attack must do. A new one joins by being in ATTACKS."""

import copy
import dataclasses

import pytest
import torch

from drumlin.attacks import (
    ATTACKS,
    BIM,
    AdaptiveAttack,
    Attack,
    CarliniWagnerDetector,
    GradientAttack,
    Noise,
    Perturbation,
    Transfer,
    create_attack,
)

QUICK = {"cw": {"steps": 20, "lr": 0.1}, "cw-detector": {"steps": 20, "lr": 0.1, "threshold": 1e6}}
"""A detector that lets everything pass leaves C&W's attack."""


@pytest.fixture(params=[*ATTACKS, "transfer"])
def attack(request):
    if request.param == "transfer":
        return Transfer(attack=BIM(), substitute=None)
    return create_attack(request.param, **QUICK.get(request.param, {}))


def energy(features, classes):
    return -features.logits.logsumexp(1)


def run(attack, classifier, x, y, **others):
    """Attack with a seed; with a score if the attack needs one; to transfer, from an equal classifier."""
    if isinstance(attack, Transfer):
        attack = dataclasses.replace(attack, substitute=copy.deepcopy(classifier))
    score = {"score": energy} if attack.needs_score else {}
    return attack(classifier, x, y, **{"generator": torch.Generator().manual_seed(0)} | score | others)


def needs(attack, ability):
    if not ability:
        pytest.skip(f"{attack.name} does not do this")


def state(classifier):
    return {name: value.clone() for name, value in classifier.state_dict().items()}


def test_name_and_documentation(attack):
    kind = type(attack)
    assert ATTACKS.get(attack.name, Transfer) is kind
    assert "Source:" in kind.__doc__ or kind is Noise
    assert ">>>" in kind.__doc__
    assert dataclasses.fields(kind)
    assert all(field.kw_only for field in dataclasses.fields(kind))
    with pytest.raises(dataclasses.FrozenInstanceError):
        attack.batch_size = 3


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("head", ["softmax", "gm"])
def test_bounds_budget_and_what_is_reported(attack, network, images, head, precision):
    x, y = images
    x = x.clone()
    x[0], x[1] = 0.0, 1.0  # at the bounds already
    classifier = network(head, precision)
    result = run(attack, classifier, x, y)
    assert result.x.dtype == x.dtype
    assert result.x.min() >= 0
    assert result.x.max() <= 1
    change = (result.x - x).flatten(1)
    assert change.abs().max() > 0
    assert change.abs().max() <= attack.max_change + 1e-7
    torch.testing.assert_close(result.linf, change.abs().amax(1))
    torch.testing.assert_close(result.l2, change.norm(dim=1) / 8)  # √(1·8·8)
    if attack.takes_target:  # else it has one of its own
        assert torch.equal(result.success, classifier(result.x).argmax(1) != y)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Greedy(Attack):
    """Goes twice as far as it may, also out of [0, 1]."""

    name = "greedy"

    @property
    def max_change(self):
        return 0.25

    def _perturb(self, objective, x, generator):
        return Perturbation(x + 0.5, torch.ones(len(x), dtype=torch.bool), torch.full((len(x),), 7))


def test_budget_and_bounds_are_enforced_whatever_the_attack_does(network, images):
    x, y = images
    result = Greedy()(network(), x, y)
    torch.testing.assert_close(result.x, (x + 0.25).clamp_max(1))
    assert result.linf.max() <= 0.25 + 1e-7
    assert result.zero_gradient.all()
    assert result.iterations.tolist() == [7] * 12


def test_it_fools(attack, network, images):
    needs(attack, not isinstance(attack, Noise))
    x, _ = images
    classifier = network("softmax")
    prediction = classifier(x).argmax(1)
    assert len(prediction.unique()) > 1
    assert (classifier(run(attack, classifier, x, prediction).x).argmax(1) != prediction).float().mean() > 0.5


def test_targeted_success_and_progress(attack, network, images):
    needs(attack, attack.takes_target)
    x, _ = images
    classifier = network("softmax")
    y = classifier(x).argmax(1)
    target = (y + 1) % 3
    result = run(attack, classifier, x, y, target=target)
    assert torch.equal(result.success, classifier(result.x).argmax(1) == target)

    def posterior(images):
        return classifier(images).softmax(1).gather(1, target[:, None])

    assert isinstance(attack, Noise) or (posterior(result.x) > posterior(x)).float().mean() > 0.8


@pytest.mark.parametrize("loss", ["ce", "head"])
def test_the_classifier_is_left_as_it_was(attack, network, images, loss):
    if loss == "head":
        needs(attack, isinstance(attack, GradientAttack))
        attack = dataclasses.replace(attack, loss=loss)
    x, y = images
    classifier = network("gm", warmup_steps=7)
    classifier.train()
    classifier.backbone.trunk.stage1[1].eval()  # a mixture of modes, as with a frozen layer
    classifier.backbone.linear.weight.requires_grad_(False)
    classifier.head.means.grad = torch.ones_like(classifier.head.means)
    modes = [module.training for module in classifier.modules()]
    wanted = [parameter.requires_grad for parameter in classifier.parameters()]
    before = state(classifier)
    run(attack, classifier, x, y)
    assert [module.training for module in classifier.modules()] == modes
    assert [parameter.requires_grad for parameter in classifier.parameters()] == wanted
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    for name, parameter in classifier.named_parameters():
        expected = torch.ones_like(parameter) if name == "head.means" else None
        assert parameter.grad is None if expected is None else torch.equal(parameter.grad, expected)


def test_it_attacks_the_classifier_in_evaluation_mode(attack, network, images):
    x, y = images
    classifier = network("gm", margin=3.0)
    expected = run(attack, classifier, x, y).x
    assert torch.equal(run(attack, classifier.train(), x, y).x, expected)


def test_modes_come_back_after_an_error(attack, network, images):
    x, y = images
    classifier = network().train()
    classifier.backbone.register_forward_hook(lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(attack, classifier, x, y)
    assert classifier.training
    assert classifier.backbone.training


def test_inputs_are_left_alone_and_results_have_no_graph(attack, network, images):
    x, y = images
    leaf = x.clone().requires_grad_()
    result = run(attack, network(), leaf, y)
    assert torch.equal(leaf, x)
    assert leaf.grad is None
    assert not any(getattr(result, field.name).requires_grad for field in dataclasses.fields(result))


def test_works_under_no_grad(attack, network, images):
    x, y = images
    classifier = network()
    with torch.no_grad():
        result = run(attack, classifier, x, y)
    assert torch.equal(result.x, run(attack, classifier, x, y).x)


def test_batches_change_nothing(attack, network, images):
    x, y = images
    classifier = network("softmax").double()  # rounding depends on the batch, and many steps amplify it
    others = {"target": (y + 1) % 3} if attack.takes_target else {}
    whole = run(attack, classifier, x.double(), y, **others)
    parts = run(dataclasses.replace(attack, batch_size=5), classifier, x.double(), y, **others)
    torch.testing.assert_close(parts.x, whole.x)
    assert torch.equal(parts.success, whole.success)
    assert torch.equal(parts.iterations, whole.iterations)
    assert parts.l2.shape == parts.linf.shape == parts.zero_gradient.shape == parts.iterations.shape == (12,)


def test_the_generator_decides_and_torchs_own_is_left_alone(attack, network, images):
    x, y = images
    classifier = network("softmax")
    before = torch.get_rng_state()
    first, again, other = (
        run(attack, classifier, x, y, generator=torch.Generator().manual_seed(seed)).x for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (attack.name not in ("pgd", "orthogonal-pgd", "noise"))


def test_no_images(attack, network):
    result = run(attack, network(), torch.zeros(0, 1, 8, 8), torch.zeros(0, dtype=torch.int64))
    assert result.x.shape == (0, 1, 8, 8)
    assert (
        result.success.shape
        == result.l2.shape
        == result.linf.shape
        == result.zero_gradient.shape
        == result.iterations.shape
        == (0,)
    )


def test_one_image(attack, network, images):
    x, y = images
    assert run(attack, network(), x[:1], y[:1]).success.shape == (1,)


def test_saturation_is_reported(attack, linear):
    needs(attack, isinstance(attack, GradientAttack | Transfer) and attack.takes_target)
    w = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    x = torch.tensor([[[[0.9, 0.1]]], [[[0.5, 0.4999]]]])
    y = torch.tensor([0, 0])
    attack = dataclasses.replace(attack, **({} if isinstance(attack, Transfer) else {"epsilon": 0.1}))
    assert run(attack, linear(w), x, y).zero_gradient.tolist() == [False, False]
    # a gap of 1,000 nats: the gradient underflows to exactly 0. The other image may be moved out of reach by a random start.
    saturated = run(attack, linear(w * 2000), x, y)
    assert bool(saturated.zero_gradient[0])
    if attack.name != "pgd":
        assert saturated.zero_gradient.tolist() == [True, False]
        assert torch.equal(saturated.x[0], x[0])


def test_float64(attack, linear):
    x = torch.rand(3, 1, 2, 2, dtype=torch.float64)
    assert (
        run(attack, linear(torch.randn(2, 4, dtype=torch.float64)), x, torch.tensor([0, 1, 0])).x.dtype == torch.float64
    )


def test_a_damaged_classifier_is_refused(attack, network, images):
    x, y = images
    classifier = network()
    with torch.no_grad():
        classifier.backbone.linear.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="not finite: the classifier's weights are damaged"):
        run(attack, classifier, x, y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.rand(12, 1, 8, 8) + 0.5}, r"x must lie in \[0, 1\], got values from"),
        ({"x": torch.full((12, 1, 8, 8), torch.nan)}, r"x must lie in \[0, 1\], got values from nan"),
        ({"x": torch.zeros(12, 1, 8, 8, dtype=torch.uint8)}, r"x must be floating-point images .* got torch.uint8"),
        ({"x": torch.zeros(12, 8, 8)}, r"x must be floating-point images \(N, C, H, W\)"),
        ({"y": torch.arange(12)}, r"y must lie in 0\.\.2, got 11"),
        ({"y": torch.arange(12) - 12}, r"y must lie in 0\.\.2, got -12"),
        (
            {"y": torch.zeros(11, dtype=torch.int64)},
            r"y must be int64 classes of shape \(12,\), got torch.int64 of shape \(11,\)",
        ),
        ({"y": torch.zeros(12)}, "y must be int64 classes .* got torch.float32"),
        ({"target": torch.full((12,), 3)}, r"target must lie in 0\.\.2, got 3"),
        (
            {"target": torch.zeros(12, dtype=torch.int64)},
            "target must differ from the true label y, got 0 for both of sample 0",
        ),
    ],
)
def test_bad_input(attack, network, images, change, message):
    x, y = images
    arguments = {"x": x, "y": y, "target": None} | change
    with pytest.raises(ValueError, match=message):
        run(attack, network(), arguments["x"], arguments["y"], target=arguments["target"])


@pytest.mark.parametrize(
    "score",
    [lambda f, y: f.z.detach().sum(1), lambda f, y: f.z.sum(), lambda f, y: f.z],
    ids=["no graph", "scalar", "(N, D)"],
)
def test_scores_that_cannot_be_attacked(attack, network, images, score):
    x, y = images
    needs(attack, isinstance(attack, AdaptiveAttack))
    with pytest.raises(ValueError, match=r"score must return differentiable values of shape \(\d+,\)"):
        run(attack, network(), x, y, score=score)


def test_what_an_attack_cannot_do(network, images):
    x, y = images
    with pytest.raises(ValueError, match="target is given, but attack 'ilcm' picks its own: leave it out"):
        create_attack("ilcm")(network(), x, y, target=(y + 1) % 3)
    with pytest.raises(ValueError, match="score is given, but attack 'noise' can keep none low: leave it out"):
        create_attack("noise")(network(), x, y, score=energy)
    with pytest.raises(ValueError, match=r"score is None, but attack 'cw-detector' is to pass a detector: give its"):
        CarliniWagnerDetector(threshold=1.0)(network(), x, y)


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_batch_size_out_of_range(attack, size):
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, got"):
        dataclasses.replace(attack, batch_size=size)


OUT_OF_RANGE = {
    "loss": ("mse", "loss must be one of ce, margin, head, got 'mse'"),
    "score_weight": (-1.0, "score_weight must be a finite number of at least 0, got -1.0"),
    "epsilon": (1.1, r"epsilon must lie in \[0, 1\], got 1.1"),
    "step": (0.0, "step must be a finite number above 0, got 0.0"),
    "steps": (0, "steps must be a whole number of at least 1, got 0"),
    "restarts": (0, "restarts must be a whole number of at least 1, got 0"),
    "kappa": (-0.1, "kappa must be a finite number of at least 0, got -0.1"),
    "lr": (float("nan"), "lr must be a finite number above 0, got nan"),
    "binary_search_steps": (0, "binary_search_steps must be a whole number of at least 1, got 0"),
    "initial_const": (0.0, "initial_const must be a finite number above 0, got 0.0"),
    "threshold": (float("inf"), "threshold must be a finite score, or one a class, got inf"),
    "l2": (-0.5, r"l2 must lie in \[0, 1\], got -0.5"),
}


def test_hyperparameters_out_of_range(attack):
    names = [field.name for field in dataclasses.fields(attack)]
    for name in set(names) - {"batch_size", "attack", "substitute", "orthogonal"}:
        value, message = OUT_OF_RANGE[name]
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(attack, **{name: value})


def test_unknown_names():
    with pytest.raises(ValueError, match="unknown attack 'fsgm': did you mean 'fgsm'"):
        create_attack("fsgm")
    with pytest.raises(ValueError, match="unknown hyperparameter of attack 'fgsm' 'eps': did you mean 'epsilon'"):
        create_attack("fgsm", eps=0.1)


def test_every_public_attack_is_in_the_registry():
    import drumlin.attacks as room

    public = [value for key in room.__all__ if isinstance(value := getattr(room, key), type)]
    assert {kind for kind in public if issubclass(kind, Attack)} - {Attack} - {
        AdaptiveAttack,
        GradientAttack,
        Transfer,
    } == set(ATTACKS.values())


def test_another_device(attack, network, images, elsewhere):
    x, y = images
    expected = run(attack, network(), x, y)
    there = network().to(elsewhere)
    if isinstance(attack, Transfer):
        attack = dataclasses.replace(attack, substitute=network().to(elsewhere))
    for given, labels in ((x, y), (x.to(elsewhere), y.to(elsewhere))):
        score = {"score": energy} if attack.needs_score else {}
        found = attack(there, given, labels, generator=torch.Generator().manual_seed(0), **score)
        for field in dataclasses.fields(found):
            value = getattr(found, field.name)
            assert value.device == given.device
            torch.testing.assert_close(value.cpu(), getattr(expected, field.name), rtol=1e-4, atol=1e-4)
