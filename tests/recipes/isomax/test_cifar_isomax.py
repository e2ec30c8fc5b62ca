import pytest

from drumlin.recipes.classification import cifar10_heads
from drumlin.recipes.isomax import cifar_isomax, figures, mnist_isomax
from drumlin.recipes.variants import Measured


def _narrow():
    return [v for v in cifar10_heads.experiment("cpu").variants if v.name.endswith(", narrow fast-32")]


@pytest.mark.parametrize("scale", ["cpu", "paper"])
def test_the_training_is_the_papers_on_its_network_without_augmentation(scale):
    experiment = cifar_isomax.experiment(scale)
    assert [v.name for v in experiment.variants] == ["softmax, 100-D", "center, 100-D", "isotropic, 100-D"]
    for variant in experiment.variants:
        (settings,) = variant.candidates.values()
        backbone = settings.backbone
        assert backbone.feature_dim == 100
        if scale == "paper":
            assert (backbone.name, backbone.dropout, backbone.batch_norm) == ("isomax-cifar", 0.2, True)
        else:
            (like,) = {(s.backbone, s.training.epochs) for v in _narrow() for s in v.candidates.values()}
            assert (backbone, settings.training.epochs) == like, "those of cifar10-heads"
        assert settings.data.name == "cifar10"
        assert (settings.data.augment.flip, settings.data.augment.shift) == (False, 0)
        training = settings.training
        optimizer = training.optimizer
        assert (optimizer.name, optimizer.lr, training.batch_size) == ("Adagrad", 0.1, 128)
        assert training.schedule.factor == 0.96
        assert training.schedule.period * training.epochs * (45_000 // 128) == pytest.approx(1000)
    assert experiment.probe is figures.near


def test_the_paper_trains_as_long_as_on_mnist_and_two_cores_eight_epochs():
    epochs = {
        scale: {s.training.epochs for v in cifar_isomax.experiment(scale).variants for s in v.candidates.values()}
        for scale in ("cpu", "paper")
    }
    assert epochs["cpu"] == {8}
    (long,) = epochs["paper"]
    assert long * (45_000 // 128) >= 35_000


def test_published_values_are_in_the_units_of_records():
    variants = {v.name: v for v in cifar_isomax.experiment("cpu").variants}
    isomax = variants["isotropic, 100-D"]
    assert (isomax.published.value, isomax.published.source) == (pytest.approx(0.097), "I Table 3")
    ten = Measured("neighbours", "accuracy", protocol="k=10, features as they are")
    assert isomax.also[ten].value == pytest.approx(0.8953)
    kmeans = Measured("clusters", "nmi", protocol="k-means, geometric mean")
    assert {name: v.also[kmeans].value for name, v in variants.items()} == {
        "softmax, 100-D": 0.7366,
        "center, 100-D": 0.7428,
        "isotropic, 100-D": 0.7837,
    }
    assert cifar_isomax.PUBLISHED["center"].attacked == (69.53, 37.68, 19.38)
    assert all(v.published is None and not v.also for v in cifar_isomax.experiment("smoke").variants)


def test_the_losses_are_those_of_mnist_but_for_triplets():
    assert mnist_isomax.HEADS.items() - cifar_isomax.HEADS.items() == {("triplet", mnist_isomax.HEADS["triplet"])}
    assert cifar_isomax.HEADS["isotropic"] == cifar10_heads.HEADS["isotropic"]
