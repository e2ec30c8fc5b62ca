import dataclasses
import json

import pytest
import torch
from torch import nn

from drumlin._io import sealed
from drumlin.heads import HeadOutput
from drumlin.model import (
    Classifier,
    InputSpec,
    precision_context,
    read_description,
    resolve_device,
    resolve_precision,
    widest_float,
)
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import head_settings


def create(head="gm", precision="float32", channels=1, **options):
    torch.manual_seed(0)
    inputs = InputSpec(channels=channels, size=(8, 8), mean=(0.5,) * channels, std=(0.25,) * channels)
    backbone = backbone_settings("digits-cnn", feature_dim=4, width=4)
    return Classifier.create(backbone, head_settings(head, **options), ["a", "b", "c"], inputs, precision=precision)


@pytest.fixture
def classifier():
    classifier = create(warmup_steps=5)
    classifier(torch.rand(32, 1, 8, 8), torch.arange(32) % 3)  # moves batch statistics and the warm-up
    return classifier.eval()


@pytest.fixture
def images():
    return torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_scale_of_the_features_comes_back_with_the_model(tmp_path, images):
    plain = create()
    backbone = dataclasses.replace(plain.settings[0], feature_scale=0.25)
    torch.manual_seed(0)
    scaled = Classifier.create(backbone, plain.settings[1], ["a", "b", "c"], plain.inputs).eval()
    torch.testing.assert_close(scaled.features(images), 0.25 * plain.eval().features(images))
    scaled.save(tmp_path)
    assert torch.equal(Classifier.load(tmp_path).features(images), scaled.features(images))


def test_logits_without_labels_loss_with_them(classifier, images):
    y = torch.arange(6) % 3
    logits = classifier(images)
    assert logits.shape == (6, 3)
    output = classifier(images, y)
    assert isinstance(output, HeadOutput)
    torch.testing.assert_close(output.logits, logits.detach())
    assert torch.equal(output.loss, classifier.head(classifier.features(images), y).loss)


def test_the_model_owns_its_normalisation():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    classifier = Classifier.wrap(module, "1", mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    x = torch.tensor([0.6, 0.2, 0.7]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(classifier(x), module(torch.tensor([[1.0, 0.0, 0.2]])))


def test_normalisation_is_no_part_of_the_state_but_moves_with_the_model(classifier):
    assert not {"mean", "std"} & classifier.state_dict().keys()
    assert classifier.double().mean.dtype == torch.float64


def test_gradients_reach_the_image(classifier, images):
    x = images.requires_grad_()
    (gradient,) = torch.autograd.grad(classifier(x).sum(), x)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("head", ["softmax", "gm", "lgm"])
def test_features_are_float32_in_bfloat16(images, head):
    options = {} if head == "softmax" else {"warmup_steps": 0}
    exact, rounded = create(head, **options).eval(), create(head, precision="bfloat16", **options).eval()
    z = rounded.features(images)
    assert z.dtype == torch.float32
    assert rounded(images).dtype == torch.float32
    assert not torch.equal(z, exact.features(images))
    torch.testing.assert_close(z, exact.features(images), rtol=0.1, atol=0.1)


def test_hidden_features_in_bfloat16_come_with_the_same_z(images):
    classifier = create(precision="bfloat16", warmup_steps=0).eval()
    z, hidden = classifier.features_with_hidden(images, ["stage1"])
    assert torch.equal(z, classifier.features(images))
    assert hidden["stage1"].shape == (6, 8)
    assert hidden["stage1"].dtype == torch.float32


def test_an_outer_autocast_does_not_change_a_float32_model(classifier, images):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = classifier(images)
    assert torch.equal(inside, classifier(images))


def test_float32_context_shuts_off_an_outer_autocast():
    cpu = torch.device("cpu")
    a = torch.ones(2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16), precision_context("float32", cpu):
        assert (a @ a).dtype == torch.float32
    with precision_context("bfloat16", cpu):
        assert (a @ a).dtype == torch.bfloat16


def test_resolve_precision(monkeypatch):
    cpu = torch.device("cpu")
    assert [resolve_precision(word, cpu) for word in ("float32", "bfloat16")] == ["float32", "bfloat16"]
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    for supported, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda supported=supported: supported)
        assert resolve_precision("auto", cpu) == expected
    with pytest.raises(ValueError, match="precision must be auto, float32 or bfloat16, got 'half'"):
        resolve_precision("half", cpu)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), r"floating point in \[0, 1\], got torch.uint8: divide 8-bit"),
        (torch.zeros(1, 3, 8, 8), r"images must have shape \(N, 1, H, W\), 8x8, got \(1, 3, 8, 8\)"),
        (torch.zeros(1, 1, 8, 7), r"images must have shape \(N, 1, H, W\), 8x8, got \(1, 1, 8, 7\)"),
        (torch.zeros(1, 8, 8), r"images must have shape \(N, 1, H, W\), 8x8, got \(1, 8, 8\)"),
    ],
)
def test_images_that_do_not_fit(classifier, images, message):
    with pytest.raises(ValueError, match=message):
        classifier(images)


def test_arguments_that_do_not_fit(classifier):
    inputs = classifier.inputs
    with pytest.raises(ValueError, match="2 class names for a head of 3 classes"):
        Classifier(classifier.backbone, classifier.head, ["a", "b"], inputs)
    with pytest.raises(ValueError, match="precision must be float32 or bfloat16, got 'auto'"):
        Classifier(classifier.backbone, classifier.head, ["a", "b", "c"], inputs, precision="auto")
    with pytest.raises(ValueError, match=r"mean must have one value for each of 3 channels, got \(0.5,\)"):
        InputSpec(channels=3, size=None, mean=(0.5,), std=(1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"std must be positive, got \(0.0,\)"):
        InputSpec(channels=1, size=None, mean=(0.5,), std=(0.0,))
    spec = InputSpec(channels=1, size=None, mean=(0.5,), std=(1.0,))
    with pytest.raises(ValueError, match=r"inputs\.size is needed to build a backbone, got None"):
        Classifier.create(backbone_settings("digits-cnn"), head_settings("softmax"), ["a", "b"], spec)


# Wrapping


class Nested(nn.Module):
    """A classifier as libraries have them: the last layer inside a container, dropout before it."""

    def __init__(self, bias=True):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 5, bias=bias))

    def forward(self, x):
        return self.classifier(self.body(x))


@pytest.mark.parametrize("bias", [True, False])
def test_wrapping_keeps_what_the_model_says_and_leaves_it_alone(bias):
    torch.manual_seed(0)
    module = Nested(bias).train()
    names = [name for name, _ in module.named_modules()]
    wrapped = Classifier.wrap(module, "classifier.1", class_names=list("abcde"))
    x = torch.rand(3, 3, 9, 7)
    assert not wrapped.training
    assert module.training
    assert [name for name, _ in module.named_modules()] == names
    torch.testing.assert_close(wrapped(x), module.eval()(x))
    torch.testing.assert_close(wrapped.features(x), module.body(x).detach(), check_layout=False)
    with torch.no_grad():
        wrapped.head.linear.weight.zero_()
    assert module.classifier[1].weight.abs().sum() > 0
    assert wrapped.has_dropout
    assert wrapped.hidden_names() == ("body", "classifier")


def test_wrapping_another_layer_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"unknown linear layer 'fc'.*known: classifier\.1"):
        Classifier.wrap(Nested())
    with pytest.raises(ValueError, match=r"unknown linear layer 'body\.0'"):
        Classifier.wrap(Nested(), "body.0")


def test_saving_a_wrapped_model(tmp_path):
    wrapped = Classifier.wrap(Nested(), "classifier.1")
    wrapped.save(tmp_path)
    with pytest.raises(ValueError, match="wrapped or made by hand"):
        Classifier.load(tmp_path)
    x = torch.rand(2, 3, 9, 9)
    loaded = Classifier.load(tmp_path, into=Classifier.wrap(Nested(), "classifier.1"))
    assert torch.equal(loaded(x), wrapped(x))
    with pytest.raises(ValueError, match=r"model\.safetensors does not fit the model"):
        Classifier.load(tmp_path, into=Classifier.wrap(Nested(bias=False), "classifier.1"))


# Saving and loading


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("head", "options"), [("softmax", {}), ("gm", {"warmup_steps": 5}), ("lgm", {"warmup_steps": 0, "margin": 1.0})]
)
def test_round_trip_to_the_bit(images, tmp_path, head, options, precision):
    classifier = create(head, precision, **options)
    classifier(torch.rand(32, 1, 8, 8), torch.arange(32) % 3)
    classifier.save(tmp_path)
    loaded = Classifier.load(tmp_path)
    assert not loaded.training
    assert loaded.class_names == ("a", "b", "c")
    assert loaded.inputs == classifier.inputs
    assert loaded.settings == classifier.settings
    assert loaded.precision == precision
    assert torch.equal(loaded(images), classifier.eval()(images))
    before = classifier.state_dict()
    assert loaded.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in loaded.state_dict().items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def test_the_description_can_be_read_alone(classifier, tmp_path):
    classifier.save(tmp_path)
    description = read_description(tmp_path)
    assert description["class_names"] == ["a", "b", "c"]
    assert description["inputs"]["size"] == [8, 8]
    assert description["head"]["name"] == "gm"
    assert description["backbone"]["name"] == "digits-cnn"


def test_nothing_there(tmp_path):
    with pytest.raises(
        ValueError, match=r"holds no trained model \(no model\.json\): give the folder that `drumlin train"
    ):
        Classifier.load(tmp_path)


def test_weights_missing(classifier, tmp_path):
    classifier.save(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors is missing: the model was not saved whole"):
        Classifier.load(tmp_path)


@pytest.mark.parametrize("place", [3, 200, -1])
def test_a_flipped_byte(classifier, tmp_path, place):
    classifier.save(tmp_path)
    path = tmp_path / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged or not the file that model\.json describes"):
        Classifier.load(tmp_path)


def test_another_version(classifier, tmp_path):
    classifier.save(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 2}))
    with pytest.raises(ValueError, match=r"model\.json is of version 2; this drumlin reads version 1"):
        Classifier.load(tmp_path)


def test_a_cut_description(classifier, tmp_path):
    classifier.save(tmp_path)
    path = tmp_path / "model.json"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"model\.json: not valid JSON"):
        Classifier.load(tmp_path)


def test_a_changed_description_is_refused(classifier, tmp_path):
    classifier.save(tmp_path)
    path = tmp_path / "model.json"
    description = json.loads(path.read_text())
    description["inputs"]["mean"] = [0.123]
    path.write_text(json.dumps(description))
    with pytest.raises(ValueError, match=r"model\.json is damaged or was changed by hand"):
        Classifier.load(tmp_path)


def test_a_layer_that_is_not_the_last_step_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.LogSoftmax(1))
    with pytest.raises(ValueError, match="something follows that layer"):
        Classifier.wrap(model, "1", size=(2, 2))
    assert Classifier.wrap(model[:2], "1", size=(2, 2)).head.num_classes == 4


def test_a_description_of_another_head_does_not_fit(classifier, tmp_path):
    classifier.save(tmp_path)
    path = tmp_path / "model.json"
    description = json.loads(path.read_text())
    description["head"] = {"name": "softmax"}
    path.write_text(json.dumps(sealed(description)))
    with pytest.raises(ValueError, match=r"model\.safetensors does not fit the model"):
        Classifier.load(tmp_path)


@pytest.mark.parametrize("name", ["nosuch", "cuda:99", "meta-data"])
def test_devices_that_are_not_there(name):
    with pytest.raises(ValueError, match=rf"device '{name}' cannot be used: "):
        resolve_device(name)


def test_auto_is_the_accelerator_of_this_process(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert resolve_device("auto") == torch.device("cuda", 1)


def test_the_device_of_a_classifier(classifier, images, elsewhere):
    assert classifier.device == torch.device("cpu")
    expected = classifier(images)
    moved = classifier.to(elsewhere)
    assert moved.device == elsewhere
    torch.testing.assert_close(moved(images.to(elsewhere)).cpu(), expected)


def test_the_widest_float_of_a_device(elsewhere):
    assert widest_float(torch.device("cpu")) == torch.float64
    try:
        torch.zeros(1, dtype=torch.float64, device=elsewhere)
    except TypeError:
        assert widest_float(elsewhere) == torch.float32
    else:
        assert widest_float(elsewhere) == torch.float64
