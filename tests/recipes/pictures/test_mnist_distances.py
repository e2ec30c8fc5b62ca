import pytest

from drumlin.recipes.attacks import mnist_detection
from drumlin.recipes.classification import mnist_heads
from drumlin.recipes.pictures import mnist_distances


def test_at_cpu_scale_the_model_is_that_of_mnist_heads_so_that_its_runs_serve():
    (own,) = mnist_distances.experiment("cpu").variants
    (other,) = [v for v in mnist_heads.experiment("cpu").variants if v.name == "gm, 100-D"]
    assert (own.name, own.candidates, own.seeds) == (other.name, other.candidates, other.seeds)


def test_at_paper_scale_it_is_on_t_s_network():
    (own,) = mnist_distances.experiment("paper").variants
    assert {s.backbone.name for s in own.candidates.values()} == {"resnet-32"}


@pytest.mark.parametrize("scale", ["cpu", "paper", "smoke"])
def test_no_detector_of_mnist_detection_is_asked_for(scale):
    (own,) = mnist_distances.experiment(scale).variants
    assert own.also == {}
    assert own.candidates == {v.name: v for v in mnist_detection.experiment(scale).variants}[own.name].candidates
