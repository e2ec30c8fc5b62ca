import os
import sys
import urllib.request

import pytest
import torch
from torch import nn

from drumlin.backbones import create_backbone
from drumlin.backbones.library import LibraryTrunk, pretrained_weights
from drumlin.settings.backbones import TorchvisionSettings, backbone_settings

FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def build(name, channels=3, size=32, **fields):
    torch.manual_seed(0)
    return create_backbone(backbone_settings(name, **fields), channels=channels, size=size)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def refuse(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(torch.hub, "urlopen", refuse)


# Widths before the classifier, from the libraries' own definitions.
@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("torchvision:resnet18", 512),
        ("torchvision:mobilenet_v3_small", 1024),
        ("torchvision:densenet121", 1024),
        ("torchvision:shufflenet_v2_x0_5", 1024),
        ("torchvision:googlenet", 1024),
        ("timm:resnet18", 512),
        ("timm:mobilenetv3_small_050", 1024),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_classifiers_are_removed_for_any_channels(name, width, channels):
    backbone = build(name, channels=channels, size=64)
    assert backbone.trunk.out_features == width
    x = torch.randn(2, channels, 64, 64)
    assert backbone(x).shape == (2, 100)  # in training mode: no tuples of auxiliary classifiers
    z, hidden = backbone.eval().forward_with_hidden(x, backbone.hidden_names())
    torch.testing.assert_close(z, backbone(x))
    assert hidden["trunk"].shape == (2, width)
    assert len(hidden) > 4
    assert all(values.shape[0] == 2 and values.dim() == 2 for values in hidden.values())


# T Table 4's networks, with a layer to 1000 classes, which the linear map to 1000 features equals. The counts are those that
# torchvision publishes with its weights; timm's list of models gives 28.09 million for SE-ResNet-50.
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("torchvision:resnet50", 25_557_032),
        ("torchvision:resnet101", 44_549_160),
        ("torchvision:resnext50_32x4d", 25_028_904),
        ("timm:seresnet50", 28_088_024),
    ],
)
def test_parameters_of_the_papers_imagenet_networks(name, published):
    backbone = build(name, feature_dim=1000)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == published
    assert backbone.trunk.out_features == 2048


def test_a_trunk_gives_what_the_librarys_classifier_would_get():
    torchvision = pytest.importorskip("torchvision")
    backbone = build("torchvision:resnet18").eval()
    torch.manual_seed(0)
    original = torchvision.models.resnet18().eval()
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(original.fc(backbone.trunk(x)), original(x))
    assert backbone.trunk.normalisation is None


def test_only_a_classifiers_last_layer_is_removed():
    network = build("torchvision:vgg11").trunk.network
    assert [type(layer).__name__ for layer in network.classifier][-4:] == ["Linear", "ReLU", "Dropout", "Identity"]


def test_a_replaced_convolution_differs_in_its_channels_alone():
    grey, colour = (build("torchvision:resnet18", channels=c).trunk.network.conv1 for c in (1, 3))
    assert (grey.in_channels, colour.in_channels) == (1, 3)
    for field in ("out_channels", "kernel_size", "stride", "padding"):
        assert getattr(grey, field) == getattr(colour, field)
    assert grey.bias is None


@pytest.mark.parametrize("channels", [1, 3])
def test_what_no_saved_state_holds_does_not_depend_on_pretrained(channels):
    assert build("torchvision:googlenet", channels=channels, size=64).trunk.network.transform_input == (channels == 3)


def test_dropout_inside_a_model_counts():
    assert build("torchvision:mobilenet_v3_small").has_dropout
    assert not build("torchvision:resnet18").has_dropout


def test_freezing_reaches_the_trunk_alone():
    backbone = build("torchvision:resnet18", freeze=True).train()
    assert {p.requires_grad for p in backbone.trunk.parameters()} == {False}
    assert {p.requires_grad for p in backbone.linear.parameters()} == {True}
    assert not backbone.trunk.network.bn1.training


def test_trying_changes_nothing_in_the_network():
    backbone = build("torchvision:resnet18")
    assert backbone.trunk.network.bn1.num_batches_tracked == 0
    assert backbone.trunk.network.bn1.training
    assert not any(module._forward_hooks for module in backbone.modules())


@pytest.mark.parametrize("name", ["torchvision:resnet1", "timm:resnet1"])
def test_unknown_models_come_with_the_nearest(name):
    with pytest.raises(ValueError, match=r"unknown (torchvision|timm) model 'resnet1': did you mean 'resnet1"):
        build(name)


def test_sizes_that_a_model_cannot_take_are_refused():
    with pytest.raises(ValueError, match=r"'timm:vit_tiny_patch16_224' cannot take images of 32x32 .*224.*image_size"):
        build("timm:vit_tiny_patch16_224")
    with pytest.raises(ValueError, match="'torchvision:alexnet' cannot take images of 16x16 pixels"):
        build("torchvision:alexnet", size=16)


def test_a_model_without_a_linear_classifier_is_refused():
    with pytest.raises(ValueError, match="'torchvision:squeezenet1_0' has no linear classifier"):
        build("torchvision:squeezenet1_0")


def test_pretrained_grey_is_refused_before_anything_is_downloaded(offline):
    with pytest.raises(ValueError, match="for 3 channels, not 1; repeat the grey"):
        build("torchvision:resnet18", channels=1, pretrained=True)


def test_a_failed_download_says_what_to_do(offline):
    with pytest.raises(ValueError, match=r"pretrained weights of backbone 'torchvision:resnet18' could not .*no route"):
        build("torchvision:resnet18", pretrained=True)
    assert FORCE not in os.environ


def test_pretrained_weights_are_loaded_and_say_what_images_they_expect(monkeypatch):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(1)
    state = torchvision.models.resnet18().state_dict()
    weights = torchvision.models.ResNet18_Weights
    monkeypatch.setattr(weights, "get_state_dict", lambda self, *args, **kwargs: state)
    backbone = build("torchvision:resnet18", pretrained=True)
    assert torch.equal(backbone.trunk.network.layer1[0].conv1.weight, state["layer1.0.conv1.weight"])
    assert backbone.trunk.normalisation == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Harmful:
    def __reduce__(self):
        return (print, ("code ran",))


def test_downloaded_weights_cannot_run_code(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(FORCE, "0")
    torch.save({"weight": Harmful()}, tmp_path / "weights.pth")
    settings = TorchvisionSettings(model="resnet18", pretrained=True)
    with pytest.raises(ValueError, match="could not be had"), pretrained_weights(settings):
        torch.load(tmp_path / "weights.pth", weights_only=False)
    assert "code ran" not in capsys.readouterr().out
    assert os.environ[FORCE] == "0"


@pytest.mark.parametrize(("name", "extra"), [("torchvision", "cli"), ("timm", "timm")])
def test_a_missing_library_names_its_extra(name, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, f"{name}.models", None)
    with pytest.raises(ImportError, match=rf"needs {name}: pip install 'drumlin\[{extra}\]'"):
        build(f"{name}:resnet18")


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 5, 1)
        self.last = nn.Flatten(0, 0)  # does nothing, and is no Identity
        self.tokens_first = nn.Flatten(0, 0)

    def forward(self, x):
        x = self.last(self.first(x).permute(0, 2, 3, 1))
        self.tokens_first(x.flatten(1, 2).transpose(0, 1))
        return x.mean((1, 2))


def test_maps_and_tokens_in_another_order_are_left_out():
    trunk = LibraryTrunk(ChannelsLast(), TorchvisionSettings(model="x"), channels=3, size=(6, 6))
    assert list(trunk.hidden_modules()) == ["first"]
    assert trunk.out_features == 5


def test_a_model_that_gives_maps_is_refused():
    with pytest.raises(ValueError, match="'torchvision:x' does not give one vector an image"):
        LibraryTrunk(nn.Conv2d(3, 5, 1), TorchvisionSettings(model="x"), channels=3, size=(6, 6))
