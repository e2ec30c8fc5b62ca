import pytest
import torch
from torch import nn

from drumlin.backbones.inception_resnet_v1 import InceptionBlock, InceptionResNetV1, Reduction
from drumlin.settings.backbones import InceptionResNetV1Settings


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(0)
    return InceptionResNetV1(InceptionResNetV1Settings(), channels=3, size=(160, 160)).eval()


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_are_those_of_the_reference(trunk):
    # facenet-pytorch's network has 23,482,624: the trunk, a linear layer to 512 without bias, and its normalisation.
    assert count(trunk) == 23_482_624 - 1792 * 512 - 2 * 512


def test_parameters_by_hand(trunk):
    a = 3 * 256 * 32 + 3 * 9 * 32 * 32 + 2 * 6 * 32 + 96 * 256 + 256
    b = 2 * 896 * 128 + 2 * 7 * 128 * 128 + 2 * 4 * 128 + 256 * 896 + 896
    c = 2 * 1792 * 192 + 2 * 3 * 192 * 192 + 2 * 4 * 192 + 384 * 1792 + 1792
    assert [count(block) for block in trunk.blocks_a] == [a] * 5
    assert [count(block) for block in trunk.blocks_b] == [b] * 10
    assert [count(block) for block in (*trunk.blocks_c, trunk.last)] == [c] * 6
    stem = 9 * (3 * 32 + 32 * 32 + 32 * 64) + 64 * 80 + 9 * (80 * 192 + 192 * 256)
    assert count(trunk.stem) == stem + 2 * (32 + 32 + 64 + 80 + 192 + 256)


# Szegedy et al. 2017, Figs. 14 and 15, give 35, 17 and 8 for images of 299 pixels; FaceNet's code 17, 8 and 3 for 160.
@pytest.mark.parametrize(("size", "sides"), [(299, (35, 17, 8)), (160, (17, 8, 3))])
def test_maps_have_the_published_sizes(trunk, size, sides):
    with torch.no_grad():
        stem = trunk.stem(torch.zeros(1, 3, size, size))
        middle = trunk.reduction_a(stem)
        last = trunk.reduction_b(middle)
    assert [tuple(x.shape[1:]) for x in (stem, middle, last)] == [
        (256, sides[0], sides[0]),
        (896, sides[1], sides[1]),
        (1792, sides[2], sides[2]),
    ]


def test_residuals_are_scaled_and_the_last_block_is_linear_after_the_sum(trunk):
    assert [{block.scale for block in blocks} for blocks in (trunk.blocks_a, trunk.blocks_b, trunk.blocks_c)] == [
        {0.17},
        {0.10},
        {0.20},
    ]
    assert trunk.last.scale == 1.0
    assert isinstance(trunk.last.activation, nn.Identity)
    assert {type(block.activation) for block in trunk.blocks_c} == {nn.ReLU}


@pytest.mark.parametrize(("relu", "expected"), [(True, [0.0, 3.5]), (False, [-1.5, 3.5])])
def test_a_block_whose_branches_are_dead_adds_the_scaled_bias(relu, expected):
    block = InceptionBlock(1, (((2, 1),), ((2, 1), (2, (1, 3)))), scale=0.25, relu=relu)
    nn.init.zeros_(block.up.weight)
    nn.init.constant_(block.up.bias, 2.0)
    assert block(torch.tensor([[[[-2.0, 3.0]]]])).flatten().tolist() == expected


def test_a_reduction_keeps_the_maxima_beside_its_branches():
    reduction = Reduction(1, (((2, 3),), ((1, 1), (3, 3)))).eval()
    x = torch.arange(25.0).reshape(1, 1, 5, 5)
    out = reduction(x)
    assert out.shape == (1, 2 + 3 + 1, 2, 2)
    assert out[0, -1].tolist() == [[12.0, 14.0], [22.0, 24.0]]
