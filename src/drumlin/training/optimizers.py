"""Any optimiser of `torch.optim` by name, over a classifier's parameters in groups."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from drumlin._io import unknown
from drumlin.model import Classifier
from drumlin.settings.run import OptimizerSettings

_NORMALISATION = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
_SGD_DEFAULTS: dict[str, Any] = {"momentum": 0.9, "nesterov": True}


def optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    """Return the class of `torch.optim` called `name`, in any case.

    Raises:
        ValueError: there is none; the message names the nearest. LBFGS needs a closure and SparseAdam sparse gradients, so they
            are not among them.

    >>> optimizer_class("adamw").__name__
    'AdamW'
    """
    classes = {
        key.lower(): value
        for key, value in vars(torch.optim).items()
        if inspect.isclass(value) and issubclass(value, torch.optim.Optimizer) and value is not torch.optim.Optimizer
    }
    del classes["lbfgs"], classes["sparseadam"]
    if name.lower() not in classes:
        raise unknown("optimizer", name, [value.__name__ for value in classes.values()])
    return classes[name.lower()]


def create_optimizer(classifier: Classifier, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Return the optimiser of `settings` over the trainable parameters of `classifier`.

    Biases, normalisation layers and PReLU slopes (all with fewer than two dimensions) have no weight decay; the head's
    parameters are grouped by the head. The normalisation layers' shifts are a group of their own where `norm_bias_factor` is not 1
    (Jordan, arXiv 2404.00498, section 3.4, has 64). Each group keeps its peak learning rate as `peak_lr`, for the schedule.

    Defaults are torch's. TensorFlow's Adagrad, which I §4.1.1 uses at rate 0.1, starts its sums of squares at 0.1, torch's at 0:
    without `initial_accumulator_value=0.1` the first step moves every weight by the whole rate. "RMSProp with decay of 0.9 and
    ε = 1.0" (I §4.1.3) is `alpha=0.9, eps=1.0`; torch adds ε to the root of the mean square, TensorFlow under it.

    Raises:
        ValueError: an unknown optimiser or option, or one that the optimiser refuses.
    """
    kind = optimizer_class(settings.name)
    groups: list[dict[str, Any]] = [
        *_of_backbone(classifier.backbone, settings),
        *classifier.head.param_groups(settings.lr, settings.weight_decay),
    ]
    warn_if_missing(classifier.head, groups)
    groups = [group | {"peak_lr": group["lr"]} for group in groups if group["params"]]
    known = set(inspect.signature(kind).parameters) - {"params", "lr", "weight_decay"}
    for option in settings.options:
        if option not in known:
            raise unknown(f"option of optimizer {kind.__name__}", option, known)
    options = (_SGD_DEFAULTS if kind is torch.optim.SGD else {}) | settings.options
    if options.get("momentum") == 0 and "nesterov" not in settings.options:
        options.pop("nesterov", None)  # plain SGD
    try:
        return kind(groups, **options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"optimizer {kind.__name__}: {error}") from None


def _of_backbone(backbone: nn.Module, settings: OptimizerSettings) -> Iterator[dict[str, Any]]:
    """Yield the groups of the network under the head."""
    shifts = set(_shifts(backbone)) if settings.norm_bias_factor != 1 else set()
    others = [p for p in backbone.parameters() if p.requires_grad and p not in shifts]
    yield {"params": [p for p in others if p.ndim > 1], "lr": settings.lr, "weight_decay": settings.weight_decay}
    yield {"params": [p for p in others if p.ndim <= 1], "lr": settings.lr, "weight_decay": 0.0}
    yield {
        "params": [p for p in backbone.parameters() if p in shifts],
        "lr": settings.lr * settings.norm_bias_factor,
        "weight_decay": 0.0,
    }


def _shifts(network: nn.Module) -> Iterator[nn.Parameter]:
    """Yield what the normalisation layers of a network add and can learn."""
    for module in network.modules():
        if isinstance(module, _NORMALISATION) and isinstance(module.bias, nn.Parameter) and module.bias.requires_grad:
            yield module.bias


def warn_if_missing(head: nn.Module, groups: list[dict[str, Any]]) -> None:
    """Warn if a trainable parameter of `head` is in none of `groups`: it would never be trained."""
    held = {id(parameter) for group in groups for parameter in group["params"]}
    missing = [name for name, p in head.named_parameters() if p.requires_grad and id(p) not in held]
    if missing:
        warnings.warn(
            f"parameters of the head are missing from the optimiser and will not be trained: {', '.join(missing)};"
            " build its groups with head.param_groups(lr, weight_decay)"
        )
