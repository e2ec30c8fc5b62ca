from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from drumlin.settings.backbones import backbone_settings
from drumlin.settings.data import AUGMENT_DEFAULTS, AugmentSettings, DataSettings, default_augment
from drumlin.settings.heads import head_settings
from drumlin.settings.run import RunSettings


def test_it_needs_no_torch() -> None:
    code = "import sys, drumlin.settings.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["digits", "mnist", "kmnist", "svhn", "omniglot"])
def test_what_is_written_is_not_mirrored(name: str) -> None:
    assert not AUGMENT_DEFAULTS[name].flip


def test_defaults_go_by_the_name_before_the_colon() -> None:
    assert default_augment("digits:0-7") == AugmentSettings(shift=1)
    assert default_augment("cifar10") == AugmentSettings(flip=True, shift=4)
    assert default_augment("folder:cifar10") == AugmentSettings()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shift": -1}, "augment.shift is -1"),
        ({"cutout": -2}, "augment.cutout is -2"),
        ({"plain_epochs": -1}, "augment.plain_epochs is -1"),
        ({"pad": "mirror"}, "augment.pad is 'mirror'"),
        ({"crop": -1}, "augment.crop is -1"),
        ({"brightness": -0.1}, "augment.brightness is -0.1"),
        ({"contrast": float("inf")}, "augment.contrast is inf"),
        ({"saturation": float("nan")}, "augment.saturation is nan"),
        ({"hue": 0.6}, "augment.hue is 0.6; it is a part of the colour circle, 0 to 0.5"),
        ({"hue": float("nan")}, "augment.hue is nan"),
        ({"flip_alternating": True}, "augment.flip_alternating says how to mirror, and augment.flip is off"),
    ],
)
def test_impossible_augmentation_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AugmentSettings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"holdout": 1.0}, "holdout is 1.0"),
        ({"holdout": -0.1}, "holdout is -0.1"),
        ({"holdout_max": 0}, "holdout_max is 0"),
        ({"image_size": 0}, "image_size is 0"),
    ],
)
def test_impossible_data_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataSettings(**settings)  # type: ignore[arg-type]


def test_fields_that_came_later_leave_recorded_runs_their_identity() -> None:
    def run(**augment: object) -> RunSettings:
        settings = AugmentSettings(flip=True, shift=4, **augment)  # type: ignore[arg-type]
        data = DataSettings(name="cifar10", augment=settings)
        return RunSettings(data=data, head=head_settings("gm"), backbone=backbone_settings("fast-28"))

    # computed before there was any
    assert run().identity == "6291ec64b17ff22f"
    assert run().to_json()["data"]["augment"] == {"flip": True, "shift": 4, "pad": "zero", "cutout": 0}
    changes = {"flip_alternating": True, "crop": 2, "brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1}
    changes["plain_epochs"] = 1
    assert changes.keys() == AugmentSettings._later
    for name, value in changes.items():
        assert run(**{name: value}).to_json()["data"]["augment"][name] == value
    assert len({run(**{name: value}).identity for name, value in changes.items()} | {run().identity}) == 8


def test_plain_epochs_are_the_last_and_keep_mirrors_and_windows() -> None:
    colours = {"brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1}
    varied = AugmentSettings(flip=True, flip_alternating=True, crop=2, shift=4, pad="reflect", cutout=8, **colours)
    settings = dataclasses.replace(varied, plain_epochs=2)
    plain = AugmentSettings(flip=True, flip_alternating=True, crop=2)
    assert [settings.in_epoch(epoch, of=5) for epoch in range(5)] == [varied] * 3 + [plain] * 2
    assert [varied.in_epoch(epoch, of=5) for epoch in range(5)] == [varied] * 5
