import json
from typing import Any

import pytest

from drumlin.settings.backbones import backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import (
    LookaheadSettings,
    OptimizerSettings,
    RunSettings,
    ScheduleSettings,
    TrainingSettings,
    default_training,
)


def run(**fields: Any) -> RunSettings:
    data = DataSettings(name="digits", root=fields.pop("root", None), augment=AugmentSettings())
    return RunSettings(data=data, head=head_settings("gm"), backbone=backbone_settings("digits-cnn"), **fields)


def test_json_has_names_and_survives_a_round_trip() -> None:
    values = run().to_json()
    assert (values["head"]["name"], values["backbone"]["name"]) == ("gm", "digits-cnn")
    assert json.loads(json.dumps(values)) == values  # no tuples


def test_json_leaves_out_where_the_data_lies() -> None:
    assert run(root="here").to_json() == run(root="there").to_json()
    assert {"root", "download"}.isdisjoint(run().to_json()["data"])


def test_json_has_everything_else() -> None:
    changed = run(seed=1, training=TrainingSettings(schedule=ScheduleSettings(milestones=(0.1,)))).to_json()
    assert changed["seed"] == 1
    assert changed["training"]["schedule"]["milestones"] == [0.1]
    assert changed["training"]["optimizer"]["options"] == {}


def test_identities_of_recorded_runs_stay() -> None:
    # As they were before any field listed in `_later` existed.
    fields: dict[str, Any] = {"data": DataSettings(name="mnist"), "head": head_settings("gm")}
    assert RunSettings(**fields, backbone=backbone_settings("fast-28")).identity == "c9085363aaa54a62"
    fields = {"data": DataSettings(name="cifar10"), "head": head_settings("lgm")}
    steps = TrainingSettings(schedule=ScheduleSettings(name="step", milestones=(0.5, 0.75)))
    settings = RunSettings(**fields, backbone=backbone_settings("resnet-20"), training=steps)
    assert settings.identity == "3d2fa49caf38cb3a"


def test_later_fields_of_backbone_schedule_and_optimizer_count_where_they_are_set() -> None:
    bare = backbone_settings("digits-cnn", linear=False, feature_dim=256, feature_scale=0.5)
    data, head = DataSettings(name="digits"), head_settings("gm")
    schedule = ScheduleSettings(name="exponential", period=0.05)
    lookahead = LookaheadSettings(every=5)
    stairs = TrainingSettings(schedule=schedule, optimizer=OptimizerSettings(norm_bias_factor=64), lookahead=lookahead)
    values = RunSettings(data=data, head=head, backbone=bare, training=stairs).to_json()
    assert values["backbone"]["linear"] is False
    assert values["backbone"]["feature_scale"] == 0.5
    assert values["training"]["schedule"]["period"] == 0.05
    assert values["training"]["optimizer"]["norm_bias_factor"] == 64
    assert values["training"]["lookahead"] == {"every": 5, "decay": 0.95, "power": 3.0, "start": 0.3}
    default = RunSettings(data=data, head=head, backbone=backbone_settings("digits-cnn")).to_json()
    assert default["backbone"].keys().isdisjoint({"linear", "feature_scale"})
    assert "period" not in default["training"]["schedule"]
    assert "norm_bias_factor" not in default["training"]["optimizer"]
    assert "lookahead" not in default["training"]


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (TrainingSettings, {"epochs": 0}, "epochs must be at least 1, got 0"),
        (TrainingSettings, {"batch_size": 0}, "batch_size must be at least 1, got 0"),
        (TrainingSettings, {"grad_clip": 0.0}, "grad_clip must be above 0, or not given for no clipping, got 0.0"),
        (TrainingSettings, {"grad_clip": float("nan")}, "grad_clip must be above 0"),
        (OptimizerSettings, {"lr": 0.0}, "optimizer.lr must be a finite number above 0, got 0.0"),
        (OptimizerSettings, {"lr": float("nan")}, "optimizer.lr must be a finite number above 0, got nan"),
        (
            OptimizerSettings,
            {"norm_bias_factor": 0.0},
            "optimizer.norm_bias_factor must be a finite number above 0, got 0.0",
        ),
        (LookaheadSettings, {"every": -1}, "lookahead.every must be at least 0, got -1"),
        (LookaheadSettings, {"decay": 1.0}, r"lookahead.decay must lie in \[0, 1\), got 1.0"),
        (LookaheadSettings, {"power": float("inf")}, "lookahead.power must be a finite number of at least 0, got inf"),
        (LookaheadSettings, {"power": -1.0}, "lookahead.power must be a finite number of at least 0"),
        (LookaheadSettings, {"start": 3.0}, r"lookahead.start must be a share of the training in \[0, 1\), got 3.0"),
        (OptimizerSettings, {"weight_decay": -1.0}, "optimizer.weight_decay must be a finite number of at least 0"),
        (ScheduleSettings, {"warmup": 1.0}, r"schedule.warmup must lie in \[0, 1\), got 1.0"),
        (ScheduleSettings, {"warmup": -0.1}, r"schedule.warmup must lie in \[0, 1\)"),
        (
            ScheduleSettings,
            {"milestones": (0.5, 30.0)},
            r"schedule.milestones must be shares of the training in \(0, 1\)",
        ),
        (ScheduleSettings, {"factor": 0.0}, r"schedule.factor must lie in \(0, 1\], got 0.0"),
        (ScheduleSettings, {"period": 0.0}, r"schedule.period must be a share of the training in \(0, 1\], got 0.0"),
        (
            ScheduleSettings,
            {"period": 1000.0},
            r"schedule.period must be a share of the training in \(0, 1\], got 1000.0",
        ),
    ],
)
def test_numbers_out_of_range(kind: type[Any], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**fields)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range(seed: int) -> None:
    with pytest.raises(ValueError, match=rf"seed must lie in 0\.\.2\^32-1, got {seed}"):
        run(seed=seed)


def test_defaults_by_data_set() -> None:
    assert default_training("mnist") == default_training("mnist:0-4")
    assert default_training("mnist") != TrainingSettings()
    assert default_training("folder:mnist") == default_training("cifar10") == TrainingSettings()
