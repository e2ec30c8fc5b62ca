from __future__ import annotations

import subprocess
import sys

import pytest

from drumlin.settings.data import AUGMENT_DEFAULTS, AugmentSettings, DataSettings, default_augment


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
        ({"pad": "mirror"}, "augment.pad is 'mirror'"),
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
