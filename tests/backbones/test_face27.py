import pytest
import torch
from torch import nn

from drumlin.backbones import create_backbone
from drumlin.backbones.face27 import Face27, PReLUBlock
from drumlin.backbones.narrow import NarrowConv2d
from drumlin.settings.backbones import Face27Settings, backbone_settings


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(0)
    return Face27(Face27Settings(), channels=3, size=(112, 96))


def test_27_convolutions_each_with_prelu(trunk):
    layers = [module for module in trunk.modules() if isinstance(module, nn.Conv2d | nn.PReLU)]
    assert [isinstance(layer, nn.PReLU) for layer in layers] == [False, True] * 27
    filters = [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)]
    assert filters == [32] + [64] * 3 + [128] * 5 + [256] * 11 + [512] * 7
    assert [layer.num_parameters for layer in layers if isinstance(layer, nn.PReLU)] == filters


def test_convolutions_of_blocks_are_those_for_narrow_maps_and_the_others_are_torchs(trunk):
    kinds = [(type(layer), layer.padding) for layer in trunk.modules() if isinstance(layer, nn.Conv2d)]
    assert kinds.count((NarrowConv2d, (1, 1))) == 2 * (1 + 2 + 5 + 3)
    assert kinds.count((nn.Conv2d, (0, 0))) == 5


def test_parameters_by_hand(trunk):
    changing = 9 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + (32 + 64 + 128 + 256 + 512)
    blocks = 2 * 9 * (64**2 + 2 * 128**2 + 5 * 256**2 + 3 * 512**2)
    slopes = 32 + 3 * 64 + 5 * 128 + 11 * 256 + 7 * 512
    assert sum(p.numel() for p in trunk.parameters()) == changing + blocks + slopes == 22_293_408


# By hand: two unpadded convolutions, halved; then three times one, halved; halves are rounded up.
# 112 → 108 → 54 → 52 → 26 → 24 → 12 → 10 → 5; 120 → 116 → 58 → 56 → 28 → 26 → 13 → 11 → 6.
@pytest.mark.parametrize(("size", "last"), [((112, 96), (5, 4)), ((120, 120), (6, 6)), ((33, 64), (1, 2))])
def test_size_of_the_last_maps(size, last):
    trunk = Face27(Face27Settings(), channels=1, size=size)
    with torch.no_grad():
        assert trunk(torch.zeros(1, 1, *size)).shape == (1, 512 * last[0] * last[1]) == (1, trunk.out_features)


def test_a_block_by_hand():
    block = PReLUBlock(1)
    with torch.no_grad():
        for layer, weight in ((block.residual[0], 2.0), (block.residual[2], -1.0)):
            layer.weight.zero_()
            layer.weight[0, 0, 1, 1] = weight
    x = torch.tensor([[[[3.0, -4.0]]]])
    # 3 → 6 → −6 → −1.5; −4 → −8 → −2 → 2; added, with nothing after the sum
    assert block(x).tolist() == [[[[1.5, -2.0]]]]


def test_activations_keep_their_scale_through_the_network(trunk):
    x = torch.randn(2, 3, 112, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for stage in (trunk.stage1, trunk.stage2, trunk.stage3, trunk.stage4):
            x = stage(x)
            assert 0.3 < x.square().mean().sqrt() < 3


def test_it_trains_without_normalisation():
    torch.manual_seed(0)
    backbone = create_backbone(backbone_settings("face-27", feature_dim=4), channels=1, size=33)
    # Four faces that differ in which quarter is bright.
    x = torch.full((4, 1, 33, 33), -0.5)
    for index, (row, column) in enumerate(((0, 0), (0, 16), (16, 0), (16, 16))):
        x[index, 0, row : row + 16, column : column + 16] = 1.5
    optimizer = torch.optim.SGD(backbone.parameters(), lr=0.03, momentum=0.9)
    losses = []
    for _ in range(8):
        loss = nn.functional.cross_entropy(backbone(x), torch.arange(4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(1.386, abs=0.2)
    assert losses[-1] < 0.1
