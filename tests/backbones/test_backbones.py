"""What holds for every backbone of our own."""

import dataclasses

import pytest
import torch
from torch import nn

from drumlin.backbones import BUILDERS, Backbone, create_backbone
from drumlin.settings.backbones import BACKBONES, LIBRARIES, backbone_settings

RESNETS = ("resnet-20", "resnet-32", "resnet-56", "resnet-110")
# Channels and size to test with: for the larger networks not the size they are meant for, which would take long.
OWN = {
    "digits-cnn": (1, 8),
    "fast-28": (1, 28),
    "fast-32": (3, 25),
    "cvpr-6": (1, 28),
    **dict.fromkeys(RESNETS, (3, 32)),
    "vgg-13": (3, 16),
    "isomax-mnist": (1, 28),
    "isomax-cifar": (3, 16),
    "face-27": (3, 48),
    "inception-resnet-v1": (3, 80),
}
SMALLEST = {
    "digits-cnn": 4,
    "fast-28": 8,
    "fast-32": 25,
    "cvpr-6": 8,
    **dict.fromkeys(RESNETS, 8),
    "vgg-13": 4,
    "isomax-mnist": 4,
    "isomax-cifar": 8,
    "face-27": 33,
    "inception-resnet-v1": 75,
}
NORMALISED = {"digits-cnn", "fast-28", "fast-32", *RESNETS, "vgg-13", "isomax-cifar", "inception-resnet-v1"}
WITH_DROPOUT = {"isomax-mnist", "isomax-cifar", "inception-resnet-v1"}
FEATURES = dict.fromkeys(OWN, 100) | {"isomax-mnist": 2, "face-27": 512}

own = pytest.mark.parametrize("name", OWN)


def build(name, channels=None, size=None, **fields):
    torch.manual_seed(0)
    default_channels, default_size = OWN[name]
    return create_backbone(
        backbone_settings(name, **fields), channels=channels or default_channels, size=size or default_size
    )


def images(name, count=3):
    channels, size = OWN[name]
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(1))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_every_name_has_settings_and_a_builder():
    assert set(BUILDERS) == {*BACKBONES, *LIBRARIES}
    assert set(OWN) == set(BACKBONES)


@own
def test_features_are_the_linear_map_of_the_trunk(name):
    backbone = build(name, feature_dim=20).eval()
    x = images(name)
    features = backbone.trunk(x)
    assert features.shape == (3, backbone.trunk.out_features)
    expected = features @ backbone.linear.weight.T + backbone.linear.bias
    torch.testing.assert_close(backbone(x), expected)
    assert (backbone.in_channels, backbone.feature_dim) == (OWN[name][0], 20)
    assert (expected < 0).any()  # or the next test shows nothing


@own
def test_relu_clips_the_features(name):
    plain, clipped = build(name, feature_dim=20).eval(), build(name, feature_dim=20, relu=True).eval()
    x = images(name)
    torch.testing.assert_close(clipped(x), plain(x).clamp_min(0))


@own
@pytest.mark.parametrize(("channels", "more"), [(1, (8, 8)), (2, (11, 25)), (3, (25, 11))])
def test_other_channels_and_sizes(name, channels, more):
    height, width = SMALLEST[name] + more[0], SMALLEST[name] + more[1]
    backbone = build(name, channels=channels, size=height if height == width else (height, width), feature_dim=4)
    assert backbone(torch.randn(2, channels, height, width)).shape == (2, 4)


@own
def test_the_smallest_image_is_taken_and_a_smaller_one_refused(name):
    smallest, (channels, _) = SMALLEST[name], OWN[name]
    assert build(name, size=smallest)(torch.randn(2, channels, smallest, smallest)).shape == (2, FEATURES[name])
    message = f"backbone '{name}' takes images of at least {smallest}x{smallest} pixels, not {smallest - 1}x80"
    with pytest.raises(ValueError, match=message):
        build(name, size=(smallest - 1, 80))


def test_no_channels_are_refused():
    with pytest.raises(ValueError, match="channels must be at least 1, not 0"):
        create_backbone(backbone_settings("cvpr-6"), channels=0, size=28)


@own
def test_memory_format_does_not_matter(name):
    backbone = build(name).eval()
    x = images(name)
    z = backbone(x)
    other = backbone.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(other, z, rtol=1e-4, atol=1e-4)


@own
def test_samples_do_not_see_one_another_in_evaluation_mode(name):
    backbone = build(name).eval().double()
    x = images(name).double()
    alone = torch.cat([backbone(row[None]) for row in x])
    torch.testing.assert_close(alone, backbone(x))


@own
def test_every_parameter_gets_a_gradient_and_so_does_the_image(name):
    backbone = build(name)
    x = images(name).requires_grad_()
    backbone(x).square().sum().backward()
    for path, parameter in backbone.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, path
        assert not parameter.requires_grad or parameter.grad.abs().sum() > 0, path
    assert x.grad.abs().amax((1, 2, 3)).min() > 0


@own
def test_same_seed_same_weights(name):
    first, second = build(name).state_dict(), build(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@own
def test_activations_neither_vanish_nor_explode_at_the_start(name):
    features = build(name).trunk(images(name, 8))
    assert 0.05 < features.square().mean().sqrt() < 20


@own
def test_batch_normalisation_is_where_it_was_published(name):
    has = any(isinstance(module, nn.BatchNorm2d) for module in build(name).modules())
    assert has == (name in NORMALISED)


@own
def test_bfloat16_stays_close(name):
    backbone = build(name).eval()
    x = images(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, hidden = backbone.forward_with_hidden(x, backbone.hidden_names())
    expected = backbone(x)
    assert (z.float() - expected).norm() < 0.05 * expected.norm()
    assert {values.dtype for values in hidden.values()} == {torch.float32}


@own
def test_dropout_is_on_by_default_only_where_it_was_published_and_when_asked_for(name):
    x = images(name)
    assert build(name).has_dropout == (name in WITH_DROPOUT)
    backbone = build(name, dropout=0.5)
    assert backbone.has_dropout
    assert not torch.equal(backbone(x), backbone(x))
    backbone.eval()
    assert torch.equal(backbone(x), backbone(x))


@own
def test_without_the_linear_map_features_are_the_trunks(name):
    trunk = build(name).eval().trunk
    backbone = Backbone(trunk, in_channels=OWN[name][0], feature_dim=trunk.out_features, linear=False)
    x = images(name)
    assert torch.equal(backbone(x), trunk(x))
    assert count(backbone) == count(trunk)


def test_without_the_linear_map_features_are_as_many_as_the_trunks():
    message = "feature_dim is 100, but without the linear map features are the trunk's 576: set feature_dim to 576"
    with pytest.raises(ValueError, match=message):
        build("fast-28", linear=False)
    assert build("fast-28", linear=False, feature_dim=576)(images("fast-28")).shape == (3, 576)


def test_without_the_linear_map_dropout_and_relu_stay():
    backbone = build("cvpr-6", feature_dim=1152, linear=False, dropout=0.5, relu=True)
    x = images("cvpr-6")
    z = backbone(x)
    assert (z == 0).float().mean() > 0.4
    assert (z >= 0).all()
    torch.testing.assert_close(backbone.eval()(x), backbone.trunk(x).clamp_min(0))


# Published: He et al. 2016, Table 6 (0.27, 0.46, 0.85, 1.7 million); the exact counts are worked from the layers:
# convolutions 432 + 2n·2304 + (4608 + (2n−1)·9216) + (18432 + (2n−1)·36864),
# normalisation 2·(16 + 2n·(16 + 32 + 64)), linear 650.
@pytest.mark.parametrize(("depth", "expected"), [(20, 269_722), (32, 464_154), (56, 853_018), (110, 1_727_962)])
def test_parameters_of_resnets(depth, expected):
    n = (depth - 2) // 6
    convolutions = 432 + 2 * n * 2304 + 4608 + (2 * n - 1) * 9216 + 18432 + (2 * n - 1) * 36864
    assert convolutions + 2 * (16 + 2 * n * 112) + 650 == expected
    assert count(build(f"resnet-{depth}", feature_dim=10)) == expected
    projections = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert count(build(f"resnet-{depth}", feature_dim=10, shortcut="B")) == expected + projections


def test_parameters_of_the_papers_network():
    convolutions = 25 * (1 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128) + 2 * (32 + 64 + 128)
    slopes = 2 * (32 + 64 + 128)
    assert count(build("cvpr-6", feature_dim=2)) == convolutions + slopes + 3 * 3 * 128 * 2 + 2


@pytest.mark.parametrize("name", ["digits-cnn", "fast-28", "vgg-13"])
def test_width_sets_the_channels(name):
    narrow, wide = build(name, width=4), build(name, width=8)
    assert wide.trunk.out_features == 2 * narrow.trunk.out_features
    assert [m.out_channels * 2 for m in narrow.modules() if isinstance(m, nn.Conv2d)] == [
        m.out_channels for m in wide.modules() if isinstance(m, nn.Conv2d)
    ]


def test_settings_are_not_changed():
    settings = backbone_settings("fast-28")
    before = dataclasses.asdict(settings)
    create_backbone(settings, channels=1, size=28)
    assert dataclasses.asdict(settings) == before
