import pytest
import torch
from safetensors.torch import load_file, save_file

from drumlin.backbones import Backbone
from drumlin.data import Images
from drumlin.features import FeatureSet, evaluation_mode, extract, feature_set
from drumlin.model import Classifier, InputSpec
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import head_settings


def create(dropout=0.0, precision="float32"):
    torch.manual_seed(0)
    inputs = InputSpec(channels=1, size=(8, 8), mean=(0.5,), std=(0.25,))
    backbone = backbone_settings("digits-cnn", feature_dim=4, width=4, dropout=dropout)
    classifier = Classifier.create(
        backbone, head_settings("gm", warmup_steps=0), list("abc"), inputs, precision=precision
    )
    classifier(torch.rand(32, 1, 8, 8))
    return classifier.eval()


@pytest.fixture
def classifier():
    return create()


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (10, 1, 8, 8), dtype=torch.uint8, generator=generator)
    return Images(pixels=pixels, labels=torch.arange(10) % 3, class_names=tuple("abc"), name="made", split="test")


def test_logits_come_from_this_very_z(classifier, images):
    features = feature_set(classifier, images.float(), images.labels)
    assert torch.equal(features.z, classifier.features(images.float()))
    assert torch.equal(features.logits, classifier.head.logits(features.z))
    assert features.y is images.labels
    assert torch.equal(features.prediction, classifier(images.float()).argmax(1))
    assert (len(features), features.hidden, features.draws) == (10, {}, None)


def test_the_graph_runs_from_the_logits_through_z_to_the_image(classifier, images):
    x = images.float().requires_grad_()
    features = feature_set(classifier, x)
    by_z, by_x = torch.autograd.grad(features.logits.sum(), [features.z, x])
    assert by_z.abs().sum() > 0
    assert by_x.abs().sum() > 0


def test_hidden(classifier, images):
    features = feature_set(classifier, images.float(), hidden=["stage1", "trunk"])
    assert {name: tuple(value.shape) for name, value in features.hidden.items()} == {
        "stage1": (10, 8),
        "trunk": (10, 32),
    }
    torch.testing.assert_close(features.z, classifier.features(images.float()))
    with pytest.raises(ValueError, match="unknown hidden layer 'stage3': did you mean"):
        feature_set(classifier, images.float(), hidden=["stage3"])


def test_draws_differ_by_dropout_alone(images):
    classifier = create(dropout=0.5)
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    features = feature_set(classifier, images.float(), draws=5)
    assert features.draws.shape == (5, 10, 3)
    torch.testing.assert_close(features.draws.sum(2), torch.ones(5, 10))
    assert features.draws.std(0).min() > 0
    assert torch.equal(features.z, classifier.features(images.float()))  # z itself without dropout
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert not any(module.training for module in classifier.modules())


def test_draws_need_dropout(classifier, images):
    with pytest.raises(ValueError, match=r"needs a network with dropout, this one has none \(set backbone\.dropout\)"):
        feature_set(classifier, images.float(), draws=2)


@pytest.mark.parametrize("difference", [{"scale": 0.25}, {"relu": True}])
def test_hand_made_models_that_differ_in_no_weight_share_no_cached_features(images, tmp_path, difference):
    def made(**options):
        plain = create()
        backbone = Backbone(plain.backbone.trunk, in_channels=1, feature_dim=4, **options)
        backbone.linear = plain.backbone.linear
        return Classifier(backbone, plain.head, list("abc"), plain.inputs).eval()

    extract(made(), images, cache=tmp_path)
    found = extract(made(**difference), images, cache=tmp_path)
    torch.testing.assert_close(found.z, extract(made(**difference), images).z)
    assert not torch.equal(found.z, extract(made(), images).z)


def test_subset(images):
    classifier = create(dropout=0.5)
    features = feature_set(classifier, images.float(), images.labels, hidden=["stage1"], draws=2)
    part = features.subset(torch.tensor([7, 2]))
    for name in ("z", "logits", "y"):
        assert torch.equal(getattr(part, name), getattr(features, name)[[7, 2]])
    assert torch.equal(part.hidden["stage1"], features.hidden["stage1"][[7, 2]])
    assert torch.equal(part.draws, features.draws[:, [7, 2]])
    bare = FeatureSet(features.z, features.logits).subset(torch.tensor([0]))
    assert (bare.y, bare.hidden, bare.draws) == (None, {}, None)


def test_evaluation_mode_restores_every_module(classifier):
    classifier.train()
    classifier.backbone.trunk.stage1.eval()
    modes = [module.training for module in classifier.modules()]

    def fail():
        with evaluation_mode(classifier):
            assert not any(module.training for module in classifier.modules())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [module.training for module in classifier.modules()] == modes


def test_extract_is_feature_set_in_batches_without_graph(images):
    classifier = create(dropout=0.5)
    whole = feature_set(classifier, images.float(), hidden=["stage1"])
    classifier.train()
    features = extract(classifier, images, hidden=["stage1"], draws=3, batch_size=4)
    assert classifier.training
    torch.testing.assert_close(features.z, whole.z.detach())
    torch.testing.assert_close(features.logits, whole.logits.detach())
    torch.testing.assert_close(features.hidden["stage1"], whole.hidden["stage1"].detach())
    assert features.draws.shape == (3, 10, 3)
    assert torch.equal(features.y, images.labels)
    assert not features.z.requires_grad


def test_extract_from_nothing(classifier, images):
    with pytest.raises(ValueError, match="made: no images to extract features from"):
        extract(classifier, images.subset([]))


def same(a, b):
    return torch.equal(a.z, b.z) and torch.equal(a.logits, b.logits) and torch.equal(a.y, b.y)


@pytest.fixture
def counted(classifier, monkeypatch):
    """Count the passes through the backbone."""
    calls = []
    classifier.backbone.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_the_cache_saves_the_work(classifier, images, tmp_path, counted):
    first = extract(classifier, images, cache=tmp_path)
    assert len(counted) == 1
    second = extract(classifier, images, cache=tmp_path)
    assert len(counted) == 1
    assert same(first, second)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_cache_holds_hidden_features_and_draws(images, tmp_path):
    classifier = create(dropout=0.5)
    first = extract(classifier, images, hidden=["stage1"], draws=2, cache=tmp_path)
    second = extract(classifier, images, hidden=["stage1"], draws=2, cache=tmp_path)
    assert torch.equal(first.draws, second.draws)  # drawn once: else they would differ
    assert torch.equal(first.hidden["stage1"], second.hidden["stage1"])


def nudge_weight(classifier):
    with torch.no_grad():
        classifier.backbone.linear.weight[0, 0] += 1e-3


def nudge_statistics(classifier):
    classifier.backbone.trunk.stage1[1].running_mean[0] += 1e-3


def nudge_normalisation(classifier):
    classifier.mean += 0.1


def nudge_precision(classifier):
    classifier.precision = "bfloat16"


@pytest.mark.parametrize("nudge", [nudge_weight, nudge_statistics, nudge_normalisation, nudge_precision])
def test_another_model_is_not_served_from_the_cache(classifier, images, tmp_path, counted, nudge):
    extract(classifier, images, cache=tmp_path)
    nudge(classifier)
    changed = extract(classifier, images, cache=tmp_path)
    assert len(counted) == 2
    assert same(changed, extract(classifier, images))


def test_other_data_or_another_request_is_not_served_from_the_cache(classifier, images, tmp_path, counted):
    extract(classifier, images, cache=tmp_path)
    pixels = images.pixels.clone()
    pixels[3, 0, 0, 0] ^= 1
    other = Images(pixels=pixels, labels=images.labels, class_names=images.class_names, name="made", split="test")
    extract(classifier, other, cache=tmp_path)
    labelled = Images(
        pixels=images.pixels, labels=images.labels.flip(0), class_names=images.class_names, name="made", split="test"
    )
    assert torch.equal(extract(classifier, labelled, cache=tmp_path).y, labelled.labels)
    extract(classifier, images, hidden=["stage1"], cache=tmp_path)
    assert len(counted) == 4


def test_a_damaged_cache_file_counts_as_not_there(classifier, images, tmp_path, counted):
    expected = extract(classifier, images, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for content in (whole[:-1], whole[:5], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(content)
        assert same(extract(classifier, images, cache=tmp_path), expected)
    assert len(counted) == 5
    assert same(extract(classifier, images, cache=tmp_path), expected)  # written anew
    assert len(counted) == 5


def test_a_cache_file_without_its_hash_counts_as_not_there(classifier, images, tmp_path, counted):
    extract(classifier, images, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    save_file(load_file(file), file)
    extract(classifier, images, cache=tmp_path)
    assert len(counted) == 2
