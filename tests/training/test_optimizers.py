from collections.abc import Callable
from typing import Any

import pytest
import torch

from drumlin.heads import SoftmaxHead
from drumlin.model import Classifier, InputSpec
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import OptimizerSettings
from drumlin.training.optimizers import create_optimizer, optimizer_class, warn_if_missing


@pytest.fixture
def make() -> Callable[..., Classifier]:
    def classifier(head: str = "lgm", backbone: str = "digits-cnn", **fields: Any) -> Classifier:
        inputs = InputSpec(channels=1, size=(8, 8), mean=(0.5,), std=(0.5,))
        fields = {"warmup_steps": 0} | fields if head != "softmax" else fields
        settings = backbone_settings(backbone, feature_dim=4)
        return Classifier.create(settings, head_settings(head, **fields), ["a", "b", "c"], inputs)

    return classifier


def options_of(optimizer: torch.optim.Optimizer, parameter: torch.Tensor) -> tuple[float, float]:
    (group,) = [g for g in optimizer.param_groups if any(p is parameter for p in g["params"])]
    assert group["peak_lr"] == group["lr"]
    return group["lr"], group["weight_decay"]


@pytest.mark.parametrize("backbone", ["digits-cnn", "cvpr-6"])
@pytest.mark.parametrize(("head", "fields"), [("softmax", {}), ("gm", {"learned_prior": True}), ("lgm", {})])
def test_every_trainable_parameter_once(
    make: Callable[..., Classifier], head: str, fields: dict[str, Any], backbone: str
) -> None:
    classifier = make(head, backbone, **fields)
    optimizer = create_optimizer(classifier, OptimizerSettings())
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {id(p) for p in classifier.parameters()}


def test_rates_and_decay_by_parameter(make: Callable[..., Classifier]) -> None:
    classifier = make("lgm")
    optimizer = create_optimizer(classifier, OptimizerSettings(lr=0.2, weight_decay=0.01))
    for name, parameter in classifier.backbone.named_parameters():
        expected = (0.2, 0.01) if parameter.ndim > 1 else (0.2, 0.0)  # matrices decay; biases and BatchNorm do not
        assert options_of(optimizer, parameter) == expected, name
    head: Any = classifier.head
    assert options_of(optimizer, head.means) == (0.2, 0.0)
    assert options_of(optimizer, head.log_var) == (pytest.approx(0.02), 0.0)


@pytest.mark.parametrize(("backbone", "learned"), [("fast-32", 6), ("timm:vit_tiny_patch16_224", 25)])
def test_shifts_of_normalisation_learn_at_their_own_rate(
    make: Callable[..., Classifier], backbone: str, learned: int
) -> None:
    side = 32 if backbone == "fast-32" else 224
    inputs = InputSpec(channels=3, size=(side, side), mean=(0.5,) * 3, std=(0.5,) * 3)
    settings = backbone_settings(backbone, feature_dim=4)
    classifier = Classifier.create(settings, head_settings("gm"), ["a", "b", "c"], inputs)
    optimizer = create_optimizer(classifier, OptimizerSettings(lr=0.2, weight_decay=0.01, norm_bias_factor=64))
    fast = [p for group in optimizer.param_groups if group["lr"] == pytest.approx(12.8) for p in group["params"]]
    kinds = (torch.nn.BatchNorm2d, torch.nn.LayerNorm)
    shifts = [m.bias for m in classifier.backbone.modules() if isinstance(m, kinds)]
    assert [id(p) for p in fast] == [id(p) for p in shifts]
    assert len(fast) == learned
    assert {options_of(optimizer, p)[1] for p in fast} == {0.0}
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in classifier.parameters() if p.requires_grad)


def test_frozen_parameters_are_left_out(make: Callable[..., Classifier]) -> None:
    classifier = make("gm")
    trunk: Any = classifier.backbone.trunk  # type: ignore[union-attr]
    trunk.requires_grad_(False)
    optimizer = create_optimizer(classifier, OptimizerSettings())
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in classifier.parameters() if p.requires_grad}


@pytest.mark.parametrize("name", ["SGD", "AdamW", "adam", "RMSprop", "NAdam", "Adagrad", "Rprop", "ASGD", "Adafactor"])
def test_optimizers_of_torch_by_name_in_any_case(make: Callable[..., Classifier], name: str) -> None:
    optimizer = create_optimizer(make(), OptimizerSettings(name=name, lr=0.01))
    assert type(optimizer).__name__.lower() == name.lower()


ADAGRAD = OptimizerSettings(name="Adagrad", lr=0.1, weight_decay=0.0, options={"initial_accumulator_value": 0.1})
RMSPROP = OptimizerSettings(name="RMSprop", lr=0.1, weight_decay=0.0, options={"alpha": 0.9, "eps": 1.0})


@pytest.mark.parametrize(
    ("settings", "first_step"),
    [
        (ADAGRAD, lambda g: 0.1 * g / (0.1 + g.square()).sqrt()),
        (RMSPROP, lambda g: 0.1 * g / ((0.1 * g.square()).sqrt() + 1.0)),
    ],
    ids=["Adagrad", "RMSprop"],
)
def test_the_optimizers_of_isomax_train_as_it_set_them(
    make: Callable[..., Classifier], settings: OptimizerSettings, first_step: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    torch.manual_seed(0)
    classifier = make("softmax")
    optimizer = create_optimizer(classifier, settings)
    x, y = torch.rand(30, 1, 8, 8), torch.arange(30) % 3
    x[torch.arange(30), 0, 0, y] += 3
    weight: Any = classifier.backbone.linear.weight  # type: ignore[union-attr]
    losses = []
    for step in range(10):
        loss = classifier(x, y).loss
        optimizer.zero_grad()
        loss.backward()
        before = weight.detach().clone()
        optimizer.step()
        if step == 0:
            torch.testing.assert_close(before - weight.detach(), first_step(weight.grad), rtol=1e-3, atol=1e-6)
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_sgd_has_nesterov_momentum_unless_told_otherwise(make: Callable[..., Classifier]) -> None:
    assert create_optimizer(make(), OptimizerSettings()).defaults["momentum"] == 0.9
    assert create_optimizer(make(), OptimizerSettings()).defaults["nesterov"] is True
    plain = OptimizerSettings(options={"momentum": 0.0, "nesterov": False})
    assert create_optimizer(make(), plain).defaults["momentum"] == 0.0
    plain = OptimizerSettings(options={"momentum": 0.0})
    assert create_optimizer(make(), plain).defaults["nesterov"] is False


@pytest.mark.parametrize("name", ["LBFGS", "SparseAdam", "Optimizer", "lr_scheduler"])
def test_what_cannot_train_this_way_is_no_optimizer(name: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown optimizer '{name}'"):
        optimizer_class(name)


def test_unknown_names_have_the_nearest(make: Callable[..., Classifier]) -> None:
    with pytest.raises(ValueError, match=r"unknown optimizer 'AdamV': did you mean .*'Adam"):
        create_optimizer(make(), OptimizerSettings(name="AdamV"))
    with pytest.raises(ValueError, match=r"unknown option of optimizer AdamW 'bettas': did you mean 'betas'"):
        create_optimizer(make(), OptimizerSettings(name="AdamW", options={"bettas": 0.5}))
    for option in ("lr", "params", "weight_decay"):  # set elsewhere
        with pytest.raises(ValueError, match=rf"unknown option of optimizer SGD '{option}'"):
            create_optimizer(make(), OptimizerSettings(options={option: 0.5}))


@pytest.mark.parametrize("options", [{"momentum": -1.0}, {"nesterov": True, "momentum": 0.0}])
def test_options_that_the_optimizer_refuses(make: Callable[..., Classifier], options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"optimizer SGD: "):
        create_optimizer(make(), OptimizerSettings(options=options))


def test_a_forgotten_parameter_of_the_head_is_named() -> None:
    head = SoftmaxHead(3, 2)
    with pytest.warns(
        UserWarning, match=r"will not be trained: linear\.bias; build its groups with head\.param_groups"
    ):
        warn_if_missing(head, [{"params": [head.linear.weight]}])


def test_no_warning_without_reason(recwarn: pytest.WarningsRecorder) -> None:
    head = SoftmaxHead(3, 2)
    head.linear.bias.requires_grad_(False)
    warn_if_missing(head, [{"params": [head.linear.weight]}])
    assert not recwarn.list


def test_a_head_that_withholds_a_parameter_is_warned_of(
    make: Callable[..., Classifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = make("lgm")
    head: Any = classifier.head
    monkeypatch.setattr(head, "param_groups", lambda lr, decay: [{"params": [head.means], "lr": lr, "weight_decay": 0}])
    with pytest.warns(UserWarning, match=r"will not be trained: log_var"):
        create_optimizer(classifier, OptimizerSettings())
