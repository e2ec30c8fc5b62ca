import dataclasses
import math
import subprocess
import sys

import pytest

from drumlin.settings.backbones import BACKBONES, LIBRARIES, backbone_settings, default_backbone


@pytest.mark.parametrize("name", [*BACKBONES, "torchvision:resnet18", "timm:resnet50.a1_in1k"])
def test_settings_survive_a_round_trip_through_their_name_and_fields(name):
    settings = backbone_settings(name, feature_dim=7, relu=True, dropout=0.25)
    assert settings.name == name
    assert backbone_settings(settings.name, **dataclasses.asdict(settings)) == settings


def test_each_resnet_knows_its_depth():
    assert [backbone_settings(f"resnet-{depth}").depth for depth in (20, 32, 56, 110)] == [20, 32, 56, 110]


@pytest.mark.parametrize("name", ["fast28", "torchvison:resnet18", "torchvision:", "torchvision", ":resnet18", ""])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=f"unknown backbone '{name}'.*digits-cnn.*timm:MODEL"):
        backbone_settings(name)


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'fast-28'"):
        backbone_settings("fast28")


def test_another_backbones_setting_is_refused():
    with pytest.raises(ValueError, match=r"unknown setting of backbone 'cvpr-6' 'width'.*feature_dim"):
        backbone_settings("cvpr-6", width=8)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("cvpr-6", {"feature_dim": 0}, "feature_dim must be at least 1, not 0"),
        ("fast-28", {"width": 0}, "width must be at least 1, not 0"),
        ("digits-cnn", {"width": -1}, "width must be at least 1, not -1"),
        ("vgg-13", {"width": 0}, "width must be at least 1, not 0"),
        ("digits-cnn", {"feature_dim": 0}, "feature_dim must be at least 1, not 0"),
        ("resnet-20", {"dropout": 1.0}, r"dropout must be in \[0, 1\), not 1.0"),
        ("timm:resnet18", {"dropout": -0.1}, r"dropout must be in \[0, 1\), not -0.1"),
        ("fast-32", {"feature_scale": 0}, "feature_scale must be a finite number above 0, not 0"),
        ("fast-32", {"feature_scale": math.inf}, "feature_scale must be .* not inf"),
    ],
)
def test_numbers_out_of_range_are_refused(name, fields, message):
    with pytest.raises(ValueError, match=message):
        backbone_settings(name, **fields)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("digits", "digits-cnn"),
        ("digits:0-7", "digits-cnn"),
        ("kmnist", "fast-28"),
        ("cifar100:1,2", "resnet-20"),
        ("folder:digits", "torchvision:resnet18"),
        ((1, 8), "digits-cnn"),
        ((3, 28), "fast-28"),
        ((1, (32, 32)), "resnet-20"),
        ((1, (28, 32)), "torchvision:resnet18"),
        ((3, 224), "torchvision:resnet18"),
    ],
)
def test_default_follows_the_size_of_the_images(data, name):
    assert default_backbone(data) == name
    backbone_settings(name)


def test_settings_import_no_torch():
    code = "import sys, drumlin.settings.backbones; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_library_prefix_is_its_own_name():
    assert {prefix: kind.library for prefix, kind in LIBRARIES.items()} == {
        "torchvision": "torchvision",
        "timm": "timm",
    }
