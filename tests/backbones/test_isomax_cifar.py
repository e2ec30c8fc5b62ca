import pytest
import torch
from torch import nn

from drumlin.backbones import create_backbone
from drumlin.backbones.isomax_cifar import IsomaxCifar
from drumlin.settings.backbones import IsomaxCifarSettings, backbone_settings


def test_twelve_convolutions():
    trunk = IsomaxCifar(IsomaxCifarSettings(), channels=3, size=(32, 32))
    convolutions = [module for module in trunk.modules() if isinstance(module, nn.Conv2d)]
    assert [module.out_channels for module in convolutions] == [64] * 4 + [96] * 4 + [128] * 4
    assert {(module.kernel_size, module.stride) for module in convolutions} == {((3, 3), (1, 1))}


@pytest.mark.parametrize(("batch_norm", "a_filter"), [(True, 2), (False, 1)])
def test_parameters_by_hand(batch_norm, a_filter):
    weights = 9 * (3 * 64 + 3 * 64**2 + 64 * 96 + 3 * 96**2 + 96 * 128 + 3 * 128**2)
    biases = a_filter * 4 * (64 + 96 + 128)  # normalisation has a scale and a shift, a plain convolution a bias
    settings = backbone_settings("isomax-cifar", batch_norm=batch_norm, feature_dim=10)
    backbone = create_backbone(settings, channels=3, size=32)
    assert sum(p.numel() for p in backbone.parameters()) == weights + biases + 128 * 4 * 4 * 10 + 10


def test_every_block_halves_the_maps():
    trunk = IsomaxCifar(IsomaxCifarSettings(), channels=1, size=(16, 24))
    x = torch.randn(2, 1, 16, 24)
    for stage, channels, size in ((trunk.stage1, 64, (8, 12)), (trunk.stage2, 96, (4, 6)), (trunk.stage3, 128, (2, 3))):
        x = stage(x)
        assert x.shape == (2, channels, *size)
