"""What every public detector must do. A new one joins by being in DETECTORS."""

import inspect

import pytest
import torch

from drumlin.detectors import DETECTORS, Detector, create_detector, detectors_for, load_detector
from drumlin.features import FeatureSet
from drumlin.heads import GaussianMixtureHead

OTHER_VALUES = {"k-density": {"bandwidth": 0.8, "seed": 3}}


@pytest.fixture(params=list(DETECTORS))
def name(request):
    return request.param


@pytest.fixture
def fitted(name, mixture, sample):
    return create_detector(name).fit(sample(mixture), head=mixture)


def with_graph(head, z):
    z = z.clone().requires_grad_()
    return z, FeatureSet(z, head.logits(z))


def permute(f, order):
    """Rename class order[k] to k."""
    return FeatureSet(f.z, f.logits[:, order], order.argsort()[f.y])


def test_name_and_documentation(name):
    kind = DETECTORS[name]
    assert kind.name == name
    assert "Source:" in kind.__doc__
    assert ">>>" in kind.__doc__
    assert kind.requires <= {"head", "hidden", "draws", "anomalies"}


def test_hyperparameters_are_keyword_only_and_kept_as_given(name):
    parameters = inspect.signature(DETECTORS[name]).parameters
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())
    given = OTHER_VALUES.get(name, {})
    assert parameters.keys() == given.keys()
    assert create_detector(name, **given).hyperparameters == given


def test_fit_returns_itself_and_scores_are_a_value_a_sample(name, mixture, sample):
    detector = create_detector(name)
    assert detector.fit(sample(mixture), head=mixture) is detector
    score = detector.score(sample(mixture, n=7))
    assert score.shape == (7,)
    assert score.dtype == torch.float32
    assert bool(score.isfinite().all())


def test_larger_is_more_anomalous(fitted, mixture, sample):
    known = fitted.score(sample(mixture, n=90, seed=1))
    z = (
        torch.full((30, 4), 2.0) + torch.randn(30, 4, generator=torch.Generator().manual_seed(2)) * 0.5
    )  # amid the means
    strange = fitted.score(FeatureSet(z, mixture.logits(z)))
    assert (strange[:, None] > known).float().mean() > 0.95


def test_default_is_the_predicted_class_whatever_the_label(fitted, mixture, sample):
    f = sample(mixture, n=30, seed=1)
    wrong = FeatureSet(f.z, f.logits, (f.y + 1) % 3)
    assert torch.equal(fitted.score(wrong), fitted.score(f, f.prediction))


def test_labels_are_not_needed_to_score(fitted, mixture, sample):
    f = sample(mixture, n=5)
    assert torch.equal(fitted.score(FeatureSet(f.z, f.logits)), fitted.score(f))


def test_batch_splitting(fitted, mixture, sample):
    f = sample(mixture, n=30, seed=1)
    y = (torch.arange(30) // 7) % 3
    each = torch.cat([fitted.score(f.subset(torch.tensor([i])), y[i : i + 1]) for i in range(30)])
    torch.testing.assert_close(each, fitted.score(f, y), rtol=1e-5, atol=1e-5)


def test_order_of_samples(fitted, mixture, sample):
    f = sample(mixture, n=30, seed=1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fitted.score(f.subset(order)), fitted.score(f)[order], rtol=1e-5, atol=1e-5)


def test_class_permutation(name, fitted, mixture, sample):
    order = torch.tensor([2, 0, 1])
    head = GaussianMixtureHead.lgm(4, 3, prior=torch.tensor([0.5, 0.3, 0.2])[order])
    with torch.no_grad():
        head.means.copy_(mixture.means[order])
        head.log_var.copy_(mixture.log_var[order])
    train, test = sample(mixture), sample(mixture, n=12, seed=1)
    score = create_detector(name).fit(permute(train, order), head=head).score(permute(test, order))
    torch.testing.assert_close(score, fitted.score(test), rtol=1e-5, atol=1e-5)


def test_no_samples(fitted, mixture):
    z = torch.zeros(0, 4)
    assert fitted.score(FeatureSet(z, torch.zeros(0, 3))).shape == (0,)


def test_features_without_graph_get_none(fitted, mixture, sample):
    assert not fitted.score(sample(mixture)).requires_grad


def test_gradients_reach_the_features_also_far_away(fitted, mixture):
    assert fitted.differentiable
    direction = torch.nn.functional.normalize(torch.tensor([[1.0, -2.0, 0.5, 1.0]]))
    for distance in (1.0, 1e2, 1e4):
        z, f = with_graph(mixture, distance * direction)
        score = fitted.score(f)
        assert bool(score.isfinite().all())
        (gradient,) = torch.autograd.grad(score.sum(), z)
        assert bool(gradient.isfinite().all())
        assert gradient.abs().max() > 1e-3


def test_no_ties_far_away(fitted, mixture):
    z = torch.linspace(1e4, 1.1e4, 20)[:, None] * torch.tensor([1.0, -2.0, 0.5, 1.0])
    score = fitted.score(FeatureSet(z, mixture.logits(z)))
    assert bool(score.isfinite().all())
    assert len(score.unique()) == 20


def test_autocast_changes_nothing(fitted, mixture, sample):
    f = sample(mixture, n=12, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = fitted.score(f)
    assert torch.equal(inside, fitted.score(f))


def test_save_and_load(name, mixture, sample, tmp_path):
    detector = create_detector(name, **OTHER_VALUES.get(name, {})).fit(sample(mixture), head=mixture)
    detector.save(tmp_path)
    loaded = load_detector(tmp_path, mixture)
    test = sample(mixture, n=12, seed=1)
    assert type(loaded) is type(detector)
    assert loaded.hyperparameters == detector.hyperparameters
    assert torch.equal(loaded.score(test), detector.score(test))


def test_a_file_never_holds_the_head(name, fitted, mixture, tmp_path):
    fitted.save(tmp_path)
    if "head" in fitted.requires:
        assert (tmp_path / "detector.safetensors").stat().st_size < 200
        with pytest.raises(ValueError, match=r"scores by the head's parameters.*got None"):
            load_detector(tmp_path)
    else:
        assert load_detector(tmp_path).head_ is None


def test_not_fitted(name, mixture, sample, tmp_path):
    with pytest.raises(ValueError, match=f"'{name}' is not fitted"):
        create_detector(name).score(sample(mixture))
    with pytest.raises(ValueError, match=f"'{name}' is not fitted"):
        create_detector(name).save(tmp_path)


def test_detectors_for(mixture, softmax):
    assert detectors_for(mixture) == list(DETECTORS)
    assert detectors_for(softmax) == [name for name in DETECTORS if name != "mixture-density"]


def test_unknown_names():
    with pytest.raises(ValueError, match="unknown detector 'energi': did you mean 'energy'"):
        create_detector("energi")
    with pytest.raises(
        ValueError, match="unknown hyperparameter of detector 'k-density' 'bandwith': did you mean 'bandwidth'"
    ):
        create_detector("k-density", bandwith=1.0)


def test_every_public_class_is_in_the_registry():
    import drumlin.detectors as room

    public = {value for key in room.__all__ if isinstance(value := getattr(room, key), type)}
    assert public - {Detector} == set(DETECTORS.values())
