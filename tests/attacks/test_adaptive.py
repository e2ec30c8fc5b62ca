import dataclasses

import pytest
import torch

from drumlin.attacks import FGSM, PGD, CarliniWagner, SweepResult, sweep_weights
from drumlin.detectors import KDensity
from drumlin.features import FeatureRequest, feature_set

WEIGHTS = (0.0, 0.3, 3.0, 30.0)


@pytest.fixture
def detector(network):
    classifier = network("softmax")
    x = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    return KDensity(bandwidth=1.0).fit(feature_set(classifier, x, torch.arange(60) % 3))


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("attack", [FGSM(epsilon=0.02, batch_size=5), PGD(epsilon=0.02, steps=5, batch_size=5)])
def test_each_image_keeps_success_then_the_least_score(network, images, detector, attack, targeted):
    x, y = images
    classifier = network("softmax").train()
    target = (y + 1) % 3 if targeted else None
    common = {"target": target, "score": detector.score}
    result = sweep_weights(attack, WEIGHTS, classifier, x, y, **common, generator=torch.Generator().manual_seed(0))
    assert classifier.training
    classifier.eval()
    generator = torch.Generator().manual_seed(0)
    each = [
        dataclasses.replace(attack, score_weight=weight)(classifier, x, y, **common, generator=generator)
        for weight in WEIGHTS
    ]
    scores = [detector.score(feature_set(classifier, one.x), target).detach() for one in each]
    assert isinstance(result, SweepResult)
    for i in range(12):  # slowly, one by one
        order = [
            (not bool(one.success[i]), float(score[i]), k)
            for k, (one, score) in enumerate(zip(each, scores, strict=True))
        ]
        best = min(order)[2]
        assert torch.equal(result.x[i], each[best].x[i])
        assert float(result.weight[i]) == pytest.approx(WEIGHTS[best])
        assert float(result.score[i]) == pytest.approx(float(scores[best][i]), rel=1e-5)
        assert bool(result.success[i]) == bool(each[best].success[i])
        assert float(result.l2[i]) == float(each[best].l2[i])
    assert torch.equal(result.iterations, sum(one.iterations for one in each))
    assert len(result.weight.unique()) > 1


def test_a_sweep_is_at_least_as_strong_as_each_of_its_weights(network, images, detector):
    x, _ = images
    classifier = network("softmax")
    y = classifier(x).argmax(1)
    attack = CarliniWagner(steps=40, binary_search_steps=3)
    result = sweep_weights(attack, (0.0, 1.0), classifier, x, y, score=detector.score)
    for weight in (0.0, 1.0):
        one = dataclasses.replace(attack, score_weight=weight)(classifier, x, y, score=detector.score)
        own = detector.score(feature_set(classifier, one.x)).detach()
        assert (result.success >= one.success).all()
        assert (result.score[one.success] <= own[one.success] + 1e-4).all()


def test_bad_sweeps(network, images, detector):
    x, y = images
    with pytest.raises(ValueError, match="weights must be at least one weight"):
        sweep_weights(FGSM(), [], network("softmax"), x, y, score=detector.score)
    with pytest.raises(ValueError, match="score_weight must be a finite number of at least 0, got -1"):
        sweep_weights(FGSM(), [-1.0], network("softmax"), x, y, score=detector.score)


def test_what_the_score_asks_for_is_there_at_the_end_too(network, images):
    x, y = images
    seen = []

    def score(features, classes):
        seen.append(features.draws.shape)
        return features.hidden["trunk"].sum(1) + features.draws.sum((0, 2))

    request = FeatureRequest(("trunk",), draws=2)
    sweep_weights(FGSM(), [1.0], network(backbone_dropout=0.5), x, y, score=score, request=request)
    assert seen == [(2, 12, 3)] * 2
