import pytest
import torch
from torch import nn

from drumlin.backbones import Backbone, Trunk, create_backbone
from drumlin.backbones.base import initialise, pool
from drumlin.settings.backbones import backbone_settings


class Scripted(Trunk):
    """Maps, then tokens, then a vector that the next layer overwrites; and a layer that is used twice."""

    out_features = 2

    def __init__(self):
        super().__init__()
        self.maps = nn.Identity()
        self.tokens = nn.Identity()
        self.vector = nn.Identity()

    def forward(self, x):
        maps = self.maps(x)
        tokens = self.tokens(maps.flatten(2).transpose(1, 2))
        vector = self.vector(tokens.sum(1))
        return self.vector(vector.mul_(10))


@pytest.fixture
def digits():
    torch.manual_seed(0)
    return create_backbone(backbone_settings("digits-cnn", feature_dim=3), channels=1, size=8)


def hooks(module):
    return sum(len(inner._forward_hooks) for inner in module.modules())


def test_hidden_features_by_hand():
    backbone = Backbone(Scripted(), in_channels=2, feature_dim=2)
    x = torch.arange(8.0).reshape(1, 2, 2, 2)  # channel means 1.5 and 5.5, sums 6 and 22
    z, hidden = backbone.forward_with_hidden(x, ["trunk", "maps", "tokens", "vector"])
    assert list(hidden) == ["trunk", "maps", "tokens", "vector"]
    assert hidden["maps"].tolist() == hidden["tokens"].tolist() == [[1.5, 5.5]]
    assert hidden["vector"].tolist() == hidden["trunk"].tolist() == [[60.0, 220.0]]  # the last use counts
    torch.testing.assert_close(z, backbone(x))


def test_a_recorded_vector_is_safe_from_work_in_place():
    vector = torch.ones(1, 2)
    recorded = pool(vector)
    vector.mul_(10)
    assert recorded.tolist() == [[1.0, 1.0]]


def test_pooling_sums_in_float32():
    maps = torch.cat([torch.full((1, 1, 1, 1), 256.0), torch.ones(1, 1, 1, 255)], dim=3).bfloat16()
    assert pool(maps).item() == pytest.approx((256 + 255) / 256)
    assert pool(maps.double()).dtype == torch.float64


def test_hidden_features_keep_the_graph(digits):
    x = torch.randn(2, 1, 8, 8, requires_grad=True)
    _, hidden = digits.forward_with_hidden(x, ["stage1"])
    hidden["stage1"].sum().backward()
    assert x.grad.abs().sum() > 0


def test_names_follow_the_network_and_no_hook_stays(digits):
    assert digits.hidden_names() == ("stage1", "stage2", "trunk")
    z, hidden = digits.eval().forward_with_hidden(torch.ones(2, 1, 8, 8), [])
    assert hidden == {}
    torch.testing.assert_close(z, digits(torch.ones(2, 1, 8, 8)))
    digits.forward_with_hidden(torch.ones(2, 1, 8, 8), digits.hidden_names())
    assert hooks(digits) == 0


def test_no_hook_stays_after_an_error(digits):
    with pytest.raises(RuntimeError):
        digits.forward_with_hidden(torch.ones(2, 3, 8, 8), ["stage1", "stage2"])
    assert hooks(digits) == 0


def test_an_unknown_layer_is_refused(digits):
    with pytest.raises(ValueError, match=r"unknown hidden layer 'stage3': did you mean .*known: stage1, stage2, trunk"):
        digits.forward_with_hidden(torch.ones(1, 1, 8, 8), ["stage3"])


def frozen():
    torch.manual_seed(0)
    trunk = create_backbone(backbone_settings("digits-cnn"), channels=1, size=8).trunk
    return Backbone(trunk, in_channels=1, feature_dim=3, freeze=True)


def test_a_frozen_trunk_stays_as_it_is_in_training():
    backbone = frozen().train()
    assert backbone.training
    assert not any(module.training for module in backbone.trunk.modules())
    before = {key: value.clone() for key, value in backbone.trunk.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=0.1)
    linear = backbone.linear.weight.clone()
    backbone(torch.randn(4, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(value, before[key]) for key, value in backbone.trunk.state_dict().items())
    assert not torch.equal(linear, backbone.linear.weight)


def test_a_frozen_trunk_lets_gradients_through_to_the_image():
    x = torch.randn(2, 1, 8, 8, requires_grad=True)
    frozen()(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_dropout_of_a_frozen_trunk_does_not_count():
    class WithDropout(Trunk):
        out_features = 4

        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x):
            return self.drop(x.flatten(1))

    assert Backbone(WithDropout(), in_channels=1, feature_dim=2).has_dropout
    assert not Backbone(WithDropout(), in_channels=1, feature_dim=2, freeze=True).has_dropout
    assert Backbone(WithDropout(), in_channels=1, feature_dim=2, freeze=True, dropout=0.1).has_dropout


@pytest.mark.parametrize(("slope", "variance"), [(0.0, 2 / (9 * 64)), (0.25, 2 / (1 + 0.0625) / (9 * 64))])
def test_initialisation_has_the_variance_of_he(slope, variance):
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 64, 3)
    initialise(layer, negative_slope=slope)
    assert layer.weight.var().item() == pytest.approx(variance, rel=0.05)
    assert layer.bias.abs().max() == 0


@pytest.mark.parametrize("linear", [True, False])
def test_a_scale_is_a_factor_of_the_features_not_learned_and_not_in_the_state(linear):
    def made(**fields):
        torch.manual_seed(0)
        settings = backbone_settings("digits-cnn", feature_dim=256, linear=linear, relu=True, **fields)
        return create_backbone(settings, channels=1, size=8)

    plain, scaled, x = made(), made(feature_scale=0.3), torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(scaled(x), 0.3 * plain(x))
    torch.testing.assert_close(scaled.forward_with_hidden(x, ["trunk"])[1], plain.forward_with_hidden(x, ["trunk"])[1])
    assert scaled.state_dict().keys() == plain.state_dict().keys()
    assert "scale=0.3" in repr(scaled)


def test_a_scale_does_not_round_features_in_bfloat16_once_more():
    def made(scale):
        torch.manual_seed(0)
        return create_backbone(backbone_settings("digits-cnn", feature_dim=64, feature_scale=scale), channels=1, size=8)

    x = torch.rand(8, 1, 8, 8)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(made(1 / 9)(x), made(1.0)(x).float() / 9, rtol=1e-6, atol=0)
