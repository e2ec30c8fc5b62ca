import dataclasses

import pytest

from drumlin.recipes.classification import mnist_heads
from drumlin.recipes.scales import CIFAR10, MNIST, RATES, candidates, run_settings, setting
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import head_settings


def test_trainings_that_are_recorded_keep_their_settings():
    recorded = {v.name: v for v in mnist_heads.experiment("cpu").variants}["gm, 100-D"]
    assert recorded.settings("lr=0.3", 1).identity == "276abda72d7fff4c"


def test_a_candidate_a_rate():
    head = head_settings("gm")
    found = candidates(MNIST["cpu"], head, feature_dim=2)
    assert {name: s.training.optimizer.lr for name, s in found.items()} == {f"lr={rate:g}": rate for rate in RATES}
    network = backbone_settings("fast-28", feature_dim=2)
    assert all(s == run_settings(MNIST["cpu"], head, network, s.training.optimizer.lr) for s in found.values())


def test_cifar_is_trained_as_t_says_at_paper_scale():
    (found,) = candidates(setting(CIFAR10, "paper"), head_settings("gm"), feature_dim=64).values()
    assert found.backbone.name == "resnet-32"
    assert (found.training.epochs, found.training.batch_size, found.training.optimizer.lr) == (300, 128, 0.1)
    assert found.training.schedule.name == "step"
    assert [found.training.epochs * m for m in found.training.schedule.milestones] == [150, 225]
    assert found.training.optimizer.weight_decay == 5e-4
    assert dataclasses.asdict(found.data.augment) | {"flip": True, "shift": 4, "pad": "reflect"} == dataclasses.asdict(
        found.data.augment
    )


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match=r"cpu|paper|smoke"):
        setting(MNIST, "huge")
