import pytest
import torch

from drumlin.attacks import CarliniWagner, CarliniWagnerDetector, median_scores
from drumlin.detectors import KDensity
from drumlin.features import FeatureSet, feature_set


def by_logit(features, classes):
    """A score that is low where the logit of the class is high."""
    return -features.logits.gather(1, classes[:, None])[:, 0]


@pytest.fixture
def three(linear):
    """Logits are the three pixels."""
    return linear(torch.eye(3, dtype=torch.float64))


X = torch.tensor([[[[0.6, 0.5, 0.4]]]], dtype=torch.float64)
Y = torch.tensor([0])


def thorough(threshold, **others):
    return CarliniWagnerDetector(threshold=threshold, lr=0.02, steps=100, **others)


def test_both_constraints_by_hand(three):
    """Target 1 from (0.6, 0.5, 0.4): to its lead alone (0.55, 0.55, 0.4); its logit at least 0.7: (0.6, 0.7, 0.4)."""
    target = torch.tensor([1])
    for threshold, expected in ((-0.2, (0.55, 0.55, 0.4)), (-0.7, (0.6, 0.7, 0.4)), (-0.65, (0.6, 0.65, 0.4))):
        result = thorough(threshold)(three, X, Y, target=target, score=by_logit)
        torch.testing.assert_close(result.x.flatten(), torch.tensor(expected, dtype=torch.float64), atol=0.01, rtol=0)
        assert bool(result.success)
        assert float(-result.x[0, 0, 0, 1]) <= threshold


def test_the_threshold_is_that_of_the_target_class(three):
    thresholds = (-0.99, -0.7, -0.65)
    for target, expected in ((1, (0.6, 0.7, 0.4)), (2, (0.6, 0.5, 0.65))):
        result = thorough(thresholds)(three, X, Y, target=torch.tensor([target]), score=by_logit)
        torch.testing.assert_close(result.x.flatten(), torch.tensor(expected, dtype=torch.float64), atol=0.01, rtol=0)


def test_untargeted_the_score_is_that_of_the_class_that_takes_over(three):
    result = thorough((0.0, -0.7, -0.9))(three, X, Y, score=by_logit)
    torch.testing.assert_close(
        result.x.flatten(), torch.tensor([0.6, 0.7, 0.4], dtype=torch.float64), atol=0.01, rtol=0
    )
    assert bool(result.success)
    seen = []

    def score(features, classes):
        seen.append(int(classes[0]))
        return by_logit(features, classes)

    thorough(-0.2)(three, X, torch.tensor([1]), score=score)  # misclassified as 0, and 0 is not y
    assert set(seen) == {0}


def test_success_takes_both(three):
    passing = thorough(-0.7)(three, X, Y, target=torch.tensor([1]), score=by_logit)
    assert bool(passing.success)
    out_of_reach = CarliniWagnerDetector(threshold=-1.5, steps=50)(
        three, X, Y, target=torch.tensor([1]), score=by_logit
    )
    assert not bool(out_of_reach.success)  # though its class can be reached
    assert torch.equal(out_of_reach.x, X)
    done = torch.tensor([[[[0.1, 0.9, 0.4]]]], dtype=torch.float64)
    untouched = thorough(-0.7)(three, done, Y, target=torch.tensor([1]), score=by_logit)
    assert torch.equal(untouched.x, done)
    assert untouched.iterations.tolist() == [0]


def test_f2_has_its_weight(three):
    """Too light to matter at a c that suffices for the class, f₂ is found by a larger c."""
    light = CarliniWagnerDetector(threshold=-0.7, score_weight=1e-3, binary_search_steps=1)
    assert not bool(light(three, X, Y, target=torch.tensor([1]), score=by_logit).success)
    heavy = CarliniWagnerDetector(threshold=-0.7, score_weight=1.0, binary_search_steps=1)
    assert bool(heavy(three, X, Y, target=torch.tensor([1]), score=by_logit).success)


def test_a_detector_that_passes_everything_leaves_the_plain_attack(network, images):
    x, _ = images
    classifier = network("softmax")
    y = classifier(x).argmax(1)
    plain = CarliniWagner(steps=50)(classifier, x, y)
    result = CarliniWagnerDetector(steps=50, threshold=1e6)(classifier, x, y, score=by_logit)
    torch.testing.assert_close(result.x, plain.x)


def test_k_density_is_passed_where_the_plain_attack_is_caught(network):
    classifier = network("softmax")
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(90, 1, 8, 8, generator=generator)
    features = feature_set(classifier, x)
    labelled = FeatureSet(features.z.detach(), features.logits.detach(), features.prediction)
    detector = KDensity(bandwidth=0.5).fit(labelled)
    thresholds = median_scores(detector.score, labelled)
    y = labelled.y[:12]
    target = (y + 1) % 3
    plain = CarliniWagner(steps=60, lr=0.03)(classifier, x[:12], y, target=target)
    both = CarliniWagnerDetector(threshold=thresholds, steps=60, lr=0.03)(
        classifier, x[:12], y, target=target, score=detector.score
    )

    def passes(images):
        found = feature_set(classifier, images)
        return (detector.score(found, target) <= torch.tensor(thresholds)[target]) & (found.prediction == target)

    assert torch.equal(both.success, passes(both.x))
    assert both.success.float().mean() > 0.7
    assert passes(plain.x).float().mean() < 0.3
    assert both.l2[both.success].mean() > plain.l2[both.success].mean()


def test_median_scores_by_hand():
    z = torch.tensor([[1.0], [5.0], [2.0], [10.0], [20.0]])
    features = FeatureSet(z, torch.zeros(5, 2), torch.tensor([0, 0, 0, 1, 1]))
    assert median_scores(lambda f, y: f.z[:, 0] * (1 + y), features) == (2.0, 30.0)
    with pytest.raises(ValueError, match="must have a sample of every class for its median, got none of class 2"):
        median_scores(lambda f, y: f.z[:, 0], FeatureSet(z, torch.zeros(5, 3), features.y))
    with pytest.raises(ValueError, match="must have labels y"):
        median_scores(lambda f, y: f.z[:, 0], FeatureSet(z, torch.zeros(5, 2)))


def test_a_threshold_still_to_come(three):
    features = FeatureSet(torch.zeros(3, 1), -torch.eye(3), torch.tensor([0, 1, 2]))
    attack = CarliniWagnerDetector()
    assert attack.prepared(by_logit, features).threshold == (1.0, 1.0, 1.0)
    assert CarliniWagnerDetector(threshold=2.0).prepared(by_logit, features).threshold == 2.0
    assert CarliniWagner().prepared(by_logit, features) == CarliniWagner()
    with pytest.raises(ValueError, match="threshold is None: give the score to pass with"):
        attack(three, X, Y, score=by_logit)


@pytest.mark.parametrize("threshold", [(), (1.0, float("nan")), float("inf")])
def test_thresholds_that_are_none(threshold):
    with pytest.raises(ValueError, match="threshold must be a finite score, or one a class, got"):
        CarliniWagnerDetector(threshold=threshold)


def test_as_many_thresholds_as_classes(three):
    with pytest.raises(ValueError, match="threshold must be one score, or one for each of 3 classes, got 2"):
        CarliniWagnerDetector(threshold=(1.0, 2.0))(three, X, Y, score=by_logit)
