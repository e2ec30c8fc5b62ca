import torch

from drumlin.backbones.cifar_resnet import CifarResNet, PaddedShortcut, ResidualBlock
from drumlin.settings.backbones import ResNet20Settings


def test_padded_shortcut_by_hand():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    out = PaddedShortcut(2)(x)
    assert out[0, 0].tolist() == [[0.0, 2.0], [8.0, 10.0]]
    assert out[0, 1:].abs().max() == 0
    assert out.shape == (1, 3, 2, 2)


def test_a_block_with_a_dead_residual_is_the_rectified_shortcut():
    block = ResidualBlock(16, 16, "A").eval()
    torch.nn.init.zeros_(block.residual[-1].weight)
    x = torch.randn(2, 16, 5, 5)
    torch.testing.assert_close(block(x), x.clamp_min(0))


def test_odd_sizes_meet_in_both_shortcuts():
    for shortcut in ("A", "B"):
        assert ResidualBlock(16, 32, shortcut)(torch.randn(2, 16, 7, 9)).shape == (2, 32, 4, 5)


def test_features_do_not_depend_on_where_the_object_is():
    torch.manual_seed(0)
    trunk = CifarResNet(ResNet20Settings(), channels=1, size=(64, 64)).eval()
    x = torch.zeros(1, 1, 64, 64)
    x[..., 30:34, 30:34] = 1
    shifted = x.roll((4, 8), (2, 3))
    torch.testing.assert_close(trunk(shifted), trunk(x), rtol=0.05, atol=1e-3)
