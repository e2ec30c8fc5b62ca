import torch
from torch import nn

from drumlin.backbones.layers import convolution


def test_a_normalised_convolution_has_no_bias_and_keeps_the_size():
    layers = nn.Sequential(*convolution(3, 4, kernel=5))
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert layers[0].bias is None
    assert layers(torch.randn(2, 3, 7, 9)).shape == (2, 4, 7, 9)


def test_without_normalisation_there_is_a_bias():
    layers = nn.Sequential(*convolution(3, 4, batch_norm=False))
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.ReLU]
    assert layers[0].bias.shape == (4,)
