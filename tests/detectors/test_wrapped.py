"""Every detector that supports a linear layer, on a small network of one's own: fitted, calibrated, and told by images."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from drumlin.data import load
from drumlin.detectors import create_detector, detectors_for, load_detector
from drumlin.features import feature_set
from drumlin.heads import SoftmaxHead
from drumlin.metrics.detection import detection_metrics
from drumlin.model import Classifier
from drumlin.refusal import calibrate

pytestmark = pytest.mark.slow
SUPPORTED = detectors_for(SoftmaxHead(2, 2), {"head", "hidden", "draws", "anomalies"})


@pytest.fixture(scope="module")
def problem():
    """A multilayer perceptron with dropout that knows the digits 0 to 7, and features of parts nobody shares."""
    known = load("digits:0-7", "train")
    x, y = known.float(), known.labels
    torch.manual_seed(0)
    layers = OrderedDict(
        flatten=nn.Flatten(),
        first=nn.Sequential(nn.Linear(64, 64), nn.ReLU()),
        second=nn.Sequential(nn.Linear(64, 32), nn.ReLU()),
        dropout=nn.Dropout(0.3),
        fc=nn.Linear(32, 8),
    )
    model = nn.Sequential(layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[:800]), y[:800]).backward()
        optimizer.step()
    classifier = Classifier.wrap(model.eval(), head="fc", channels=1)
    classifier.requires_grad_(False)

    def describe(images, labels=None):
        return feature_set(classifier, images, labels, hidden=("first", "second"), draws=50)

    noise = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return {
        "classifier": classifier,
        "describe": describe,
        "image": x[900:905],
        "training": describe(x[:800], y[:800]),
        "normals": describe(x[800:900]),
        "holdout": describe(x[900:]),
        "anomalies": describe(load("digits:8,9", "train").float()[:100]),
        "unknown": describe(noise),
    }


@pytest.fixture(params=SUPPORTED)
def fitted(request, problem):
    others = {name: problem[name] for name in ("normals", "anomalies")}
    return create_detector(request.param).fit(problem["training"], head=problem["classifier"].head, **others)


def test_it_tells_noise_it_has_not_seen_and_is_calibrated(fitted, problem, tmp_path):
    normal, strange = fitted.score(problem["holdout"]), fitted.score(problem["unknown"])
    assert detection_metrics(normal.numpy(), strange.numpy())["auroc"] > 0.8
    conformal = calibrate(problem["classifier"], fitted, problem["holdout"], 0.05)
    assert (~conformal.accepts(normal)).float().mean() <= 0.05
    assert (~conformal.accepts(strange)).float().mean() > 0.1
    fitted.save(tmp_path)
    loaded = load_detector(tmp_path, problem["classifier"].head)
    assert torch.equal(loaded.score(problem["unknown"]), strange)


def test_its_gradient_reaches_the_images(fitted, problem):
    x = problem["image"].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(fitted.score(problem["describe"](x)).sum(), x)
    assert bool(gradient.isfinite().all())
    assert bool((gradient.flatten(1).abs().amax(1) > 0).all())
