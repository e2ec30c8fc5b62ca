"""What can be set of a training run, without torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from drumlin._io import hash_json
from drumlin.settings.backbones import BackboneSettings
from drumlin.settings.data import DataSettings
from drumlin.settings.heads import HeadSettings

Precision = Literal["auto", "float32", "bfloat16"]
OptionValue = float | bool | str


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """Any optimiser of `torch.optim`, by its name."""

    _later: ClassVar[frozenset[str]] = frozenset({"norm_bias_factor"})
    """Fields that came when runs had been recorded (see `RunSettings.to_json`)."""

    name: str = "SGD"
    """Class name in torch.optim, in any case: SGD, AdamW, RMSprop, ..."""
    lr: float = 0.05
    """Learning rate at the schedule's peak."""
    weight_decay: float = 5e-4
    """Weight decay; 0 is used for biases, normalisation layers, means, variances and priors."""
    norm_bias_factor: float = 1.0
    """Learning rate of the shifts (biases) of the network's normalisation layers, in multiples of lr."""
    options: dict[str, OptionValue] = field(default_factory=dict)
    """Further arguments of that class, e.g. momentum 0.9. SGD has momentum 0.9 and Nesterov unless told otherwise."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"optimizer.lr must be a finite number above 0, got {self.lr}")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(f"optimizer.weight_decay must be a finite number of at least 0, got {self.weight_decay}")
        if not (math.isfinite(self.norm_bias_factor) and self.norm_bias_factor > 0):
            raise ValueError(f"optimizer.norm_bias_factor must be a finite number above 0, got {self.norm_bias_factor}")


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings:
    """The learning rate over the training, set before every step."""

    _later: ClassVar[frozenset[str]] = frozenset({"period"})
    """Fields that came when runs had been recorded (see `RunSettings.to_json`)."""

    name: Literal["one-cycle", "cosine", "step", "exponential", "constant"] = "one-cycle"
    """one-cycle: linear up, then linear down to 0. cosine: linear warm-up, then half a cosine to 0. step: multiplied by factor at
    milestones. exponential: multiplied by factor at the end of every period."""
    warmup: float = 0.2
    """Share of the training over which the rate rises (one-cycle, cosine)."""
    milestones: tuple[float, ...] = (0.5, 0.75)
    """Shares of the training after which the rate is multiplied by `factor` (step)."""
    factor: float = 0.1
    """See milestones and period."""
    period: float = 0.25
    """Share of the training after which the rate is multiplied by `factor`, again and again (exponential): 1000 of 20,000 steps
    are 0.05."""

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ValueError(f"schedule.warmup must lie in [0, 1), got {self.warmup}")
        if not all(0 < milestone < 1 for milestone in self.milestones):
            raise ValueError(f"schedule.milestones must be shares of the training in (0, 1), got {self.milestones}")
        if not 0 < self.factor <= 1:
            raise ValueError(f"schedule.factor must lie in (0, 1], got {self.factor}")
        if not 0 < self.period <= 1:
            raise ValueError(f"schedule.period must be a share of the training in (0, 1], got {self.period}")


@dataclass(frozen=True, kw_only=True)
class LookaheadSettings:
    """Weights drawn back towards their own average every few steps (training/lookahead.py has the formula)."""

    every: int = 0
    """Steps between two averages; an epoch's last step is always averaged. 0: none are taken."""
    decay: float = 0.95
    """What a step keeps of the average at the end of the training; `every` steps keep its power."""
    power: float = 3.0
    """Of the share of the training that is done, by which that is multiplied: 0 keeps as much from the start."""
    start: float = 0.3
    """Share of the training before which no averages are taken."""

    def __post_init__(self) -> None:
        if self.every < 0:
            raise ValueError(f"lookahead.every must be at least 0, got {self.every}")
        if not 0 <= self.decay < 1:
            raise ValueError(f"lookahead.decay must lie in [0, 1), got {self.decay}")
        if not (math.isfinite(self.power) and self.power >= 0):
            raise ValueError(f"lookahead.power must be a finite number of at least 0, got {self.power}")
        if not 0 <= self.start < 1:
            raise ValueError(f"lookahead.start must be a share of the training in [0, 1), got {self.start}")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The training loop."""

    _later: ClassVar[frozenset[str]] = frozenset({"lookahead"})
    """Fields that came when runs had been recorded (see `RunSettings.to_json`)."""

    epochs: int | None = None
    """Passes over the training images. None: 12, or more where these are fewer than 1500 steps of few images."""
    batch_size: int | None = None
    """Images a step, over all processes together. None: 128, or less where there are few images, so that an epoch has 32 steps."""
    grad_clip: float | None = None
    """Largest L2 norm of the gradient; longer ones are scaled down to it."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: every term of a sample is weighted by the inverse frequency of its class (mean weight 1)."""
    precision: Precision = "auto"
    """Of the network, in training and ever after; auto: bfloat16 where the processor has instructions for it."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps, ..."""
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    lookahead: LookaheadSettings = LookaheadSettings()

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.grad_clip is not None and not self.grad_clip > 0:
            raise ValueError(f"grad_clip must be above 0, or not given for no clipping, got {self.grad_clip}")


_TRAINING_DEFAULTS: dict[str, TrainingSettings] = {
    "digits": TrainingSettings(epochs=20, batch_size=32),
    "mnist": TrainingSettings(epochs=9, batch_size=128),
}


def default_training(data: str) -> TrainingSettings:
    """Return the training that suits the data set named by `data` (NAME or NAME:CLASSES), else the general default.

    >>> default_training("digits:0-7").batch_size
    32
    """
    return _TRAINING_DEFAULTS.get(data.partition(":")[0], TrainingSettings())


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """All that decides what a training run ends in.

    Raises:
        ValueError: (as of all settings) a number out of its range; the message names it.
    """

    data: DataSettings
    head: HeadSettings
    backbone: BackboneSettings
    training: TrainingSettings = TrainingSettings()
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must lie in 0..2^32-1, got {self.seed}")

    @property
    def identity(self) -> str:
        """Hash of the settings; of what they leave open, that it is open."""
        return hash_json(self.to_json())[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, for `config.json` and for hashing.

        Head and backbone carry their names. Where the data root lies and whether to download is left out: it does not
        change what a run ends in. A field that a settings class lists in `_later` is left out at its default: it came when
        runs had been recorded, and theirs is the same identity as before.
        """
        values = _plain(self)
        for place in ("root", "download"):
            del values["data"][place]
        for part in ("head", "backbone"):
            values[part] = {"name": getattr(self, part).name, **values[part]}
        return values  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    """Return `value` as it reads back from JSON: settings as dictionaries, tuples as lists."""
    if dataclasses.is_dataclass(value):
        later: frozenset[str] = getattr(value, "_later", frozenset())
        fields = {field.name: (getattr(value, field.name), field.default) for field in dataclasses.fields(value)}
        return {name: _plain(item) for name, (item, default) in fields.items() if name not in later or item != default}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
