import pytest
import torch
from torch import nn

from drumlin.backbones import create_backbone
from drumlin.settings.backbones import backbone_settings


def build(**fields):
    torch.manual_seed(0)
    return create_backbone(backbone_settings("isomax-mnist", **fields), channels=3, size=28)


def test_weights_are_those_of_the_table():
    # I Table 1: 2.4K, 51.2K, 3.2M, 2K, with three channels and without biases.
    weights = [parameter.numel() for parameter in build().parameters() if parameter.ndim > 1]
    assert weights == [2_400, 51_200, 3_211_264, 2_048]
    assert sum(p.numel() for p in build().parameters()) == sum(weights) + 32 + 64 + 1024 + 2


def test_sizes_are_those_of_the_table():
    trunk = build().trunk
    x = trunk.stage1(torch.randn(2, 3, 28, 28))
    assert x.shape == (2, 32, 14, 14)
    assert trunk.stage2(x).shape == (2, 64, 7, 7)


def test_a_fifth_of_the_trunks_features_is_dropped_before_the_last_layer():
    backbone = build(linear=False, feature_dim=1024)
    x = torch.randn(20, 3, 28, 28)
    kept = backbone.trunk(x) > 0
    assert (backbone(x)[kept] == 0).float().mean() == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_normalisation_follows_each_convolution_if_asked_for(batch_norm):
    layers = [m for m in build(batch_norm=batch_norm).modules() if isinstance(m, nn.BatchNorm2d | nn.Conv2d)]
    expected = [nn.Conv2d, nn.BatchNorm2d] * 2 if batch_norm else [nn.Conv2d] * 2
    assert [type(layer) for layer in layers] == expected
