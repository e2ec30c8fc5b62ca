import torch
from torch import nn

from drumlin.backbones import create_backbone
from drumlin.backbones.narrow import NarrowConv2d
from drumlin.backbones.vgg13 import VGG13
from drumlin.settings.backbones import VGG13Settings, backbone_settings


def test_filters_are_those_of_the_authors_code():
    trunk = VGG13(VGG13Settings(), channels=3, size=(32, 32))
    filters = [module.out_channels for module in trunk.modules() if isinstance(module, nn.Conv2d)]
    assert filters == [96] * 5 + [192] * 4 + [384] * 4
    assert {module.kernel_size for module in trunk.modules() if isinstance(module, nn.Conv2d)} == {(3, 3)}


def test_the_last_four_are_those_for_narrow_maps():
    trunk = VGG13(VGG13Settings(), channels=3, size=(32, 32))
    kinds = [type(module) for module in trunk.modules() if isinstance(module, nn.Conv2d)]
    assert kinds == [nn.Conv2d] * 9 + [NarrowConv2d] * 4


def test_parameters_by_hand():
    convolutions = 9 * (3 * 96 + 4 * 96**2 + 96 * 192 + 3 * 192**2 + 192 * 384 + 3 * 384**2)
    normalisation = 2 * (5 * 96 + 4 * 192 + 4 * 384)
    trunk = convolutions + normalisation
    assert trunk == 6_146_016
    published = create_backbone(backbone_settings("vgg-13", linear=False, feature_dim=384), channels=3, size=32)
    assert sum(parameter.numel() for parameter in published.parameters()) == trunk


def test_two_poolings_before_the_global_one():
    trunk = VGG13(VGG13Settings(width=2), channels=1, size=(32, 32))
    x = torch.randn(2, 1, 32, 32)
    sizes = []
    for stage in (trunk.stage1, trunk.stage2, trunk.stage3):
        x = stage(x)
        sizes.append(tuple(x.shape[1:]))
    assert sizes == [(2, 16, 16), (4, 8, 8), (8, 8, 8)]


def test_features_are_averages_over_the_last_maps():
    trunk = VGG13(VGG13Settings(width=2), channels=1, size=(8, 8)).eval()
    x = torch.randn(2, 1, 8, 8)
    maps = trunk.stage3(trunk.stage2(trunk.stage1(x)))
    torch.testing.assert_close(trunk(x)[1, 3], maps[1, 3].sum() / 4)
