"""What every public detector must do. A new one joins by being in DETECTORS."""

import copy
import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from drumlin.detectors import DETECTORS, Detector, create_detector, detectors_for, load_detector
from drumlin.features import FeatureSet
from drumlin.heads import GaussianMixtureHead

OTHER_VALUES = {
    "k-density": {"bandwidth": 0.8, "seed": 3},
    "k-nn": {"k": 7, "seed": 3},
    "vim": {"dimension": 1},
    "gda": {"shrinkage": 0.3},
    "lid": {"k": 5, "reference": 20, "layers": ("late", "early"), "seed": 3},
    "i-defender": {"components": 2, "covariance": "full", "dimensions": 5, "layers": ("late",), "seed": 3},
    "k-density-uncertainty": {"bandwidth": 0.8, "draws": 5, "seed": 3},
}
SMALL = {  # what suits 60 training features and five draws
    "k-nn": {"k": 5},
    "lid": {"k": 10, "reference": 50},
    "i-defender": {"components": 2},
    "k-density-uncertainty": {"draws": 5},
}
BLIND_TO_LENGTH = {"k-nn"}  # features of length 1 have no far away: scores stay, and gradients fall with the distance


@pytest.fixture(params=list(DETECTORS))
def name(request):
    return request.param


@pytest.fixture
def head(name, mixture, identity):
    return mixture if DETECTORS[name].supports(mixture) else identity


@pytest.fixture
def fit(sample, strange):
    """Fit a detector to samples as `describer` describes them, with held-out ones and anomalies for those that need them."""

    def fitted(detector, head, describer=None, change=lambda f: f):
        describer = describer or head
        normals, anomalies = change(sample(describer, n=40, seed=11)), change(strange(describer, n=40, seed=12))
        return detector.fit(change(sample(describer)), head=head, anomalies=anomalies, normals=normals)

    return fitted


@pytest.fixture
def fitted(name, head, fit):
    return fit(create_detector(name, **SMALL.get(name, {})), head)


def permute(f, order):
    """Rename class order[k] to k."""
    y = None if f.y is None else order.argsort()[f.y]
    return FeatureSet(f.z, f.logits[:, order], y, f.hidden, f.draws[:, :, order])


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
    assert all(parameters[key].default != value for key, value in given.items())
    assert create_detector(name, **given).hyperparameters == given


def test_fit_returns_itself_and_scores_are_a_value_a_sample(name, head, fit, sample):
    detector = create_detector(name, **SMALL.get(name, {}))
    assert fit(detector, head) is detector
    score = detector.score(sample(head, n=7))
    assert score.shape == (7,)
    assert score.dtype == torch.float32
    assert bool(score.isfinite().all())


def test_larger_is_more_anomalous(fitted, head, sample, strange):
    known = fitted.score(sample(head, n=90, seed=1))
    assert (fitted.score(strange(head))[:, None] > known).float().mean() > 0.95


def test_default_is_the_predicted_class_whatever_the_label(fitted, head, sample):
    f = sample(head, n=30, seed=1)
    wrong = replace(f, y=(f.y + 1) % 3)
    assert torch.equal(fitted.score(wrong), fitted.score(f, f.prediction))


def test_labels_are_not_needed_to_score(fitted, head, sample):
    f = sample(head, n=5)
    assert torch.equal(fitted.score(replace(f, y=None)), fitted.score(f))


def test_batch_splitting(fitted, head, sample):
    f = sample(head, n=30, seed=1)
    y = (torch.arange(30) // 7) % 3
    each = torch.cat([fitted.score(f.subset(torch.tensor([i])), y[i : i + 1]) for i in range(30)])
    torch.testing.assert_close(each, fitted.score(f, y), rtol=1e-5, atol=1e-5)


def test_order_of_samples(fitted, head, sample):
    f = sample(head, n=30, seed=1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fitted.score(f.subset(order)), fitted.score(f)[order], rtol=1e-5, atol=1e-5)


def test_class_permutation(name, fitted, head, fit, sample):
    order = torch.tensor([2, 0, 1])
    options = {"covariance": head.covariance, "likelihood": head.likelihood}
    permuted = GaussianMixtureHead(4, 3, prior=torch.tensor([0.5, 0.3, 0.2])[order], **options)
    with torch.no_grad():
        permuted.means.copy_(head.means[order])
        if head.log_var is not None:
            permuted.log_var.copy_(head.log_var[order])
    detector = fit(create_detector(name, **SMALL.get(name, {})), permuted, head, lambda f: permute(f, order))
    test = sample(head, n=12, seed=1)
    torch.testing.assert_close(detector.score(permute(test, order)), fitted.score(test), rtol=1e-5, atol=1e-5)


def test_no_samples(fitted, head, describe):
    assert fitted.score(describe(head, torch.zeros(0, 4))).shape == (0,)


def test_features_without_graph_get_none(fitted, head, sample):
    assert not fitted.score(sample(head)).requires_grad


def test_gradients_reach_the_features_also_far_away(name, fitted, head, describe):
    assert fitted.differentiable
    direction = torch.nn.functional.normalize(torch.tensor([[1.0, -2.0, 0.5, 1.0]]))
    for distance in (1.0, 1e2, 1e4):
        z = (distance * direction).requires_grad_()
        score = fitted.score(describe(head, z))
        assert bool(score.isfinite().all())
        (gradient,) = torch.autograd.grad(score.sum(), z)
        assert bool(gradient.isfinite().all())
        assert gradient.abs().max() > 1e-3 / (distance if name in BLIND_TO_LENGTH else 1)


def test_gradients_are_finite_at_training_features_and_at_zero(fitted, head, describe, sample):
    z = torch.cat([sample(head).z, torch.zeros(1, 4), torch.full((1, 4), 1e-30)]).requires_grad_()
    score = fitted.score(describe(head, z))
    assert bool(score.isfinite().all())
    (gradient,) = torch.autograd.grad(score.sum(), z)
    assert bool(gradient.isfinite().all())


def test_gradients_are_the_changes_of_the_score(name, head, fit, sample, describe):
    head = head.double()
    detector = fit(create_detector(name, **SMALL.get(name, {})), head)
    z = (sample(head, n=4, seed=3).z + 0.3).requires_grad_()
    y = torch.tensor([0, 1, 2, 0])
    assert detector.score(describe(head, z), y).dtype == torch.float64
    assert torch.autograd.gradcheck(lambda z: detector.score(describe(head, z), y), z)


def test_no_ties_far_away(name, fitted, head, describe):
    z = torch.linspace(1e4, 1.1e4, 20)[:, None] * torch.tensor([1.0, -2.0, 0.5, 1.0])
    score = fitted.score(describe(head, z))
    assert bool(score.isfinite().all())
    if name not in BLIND_TO_LENGTH:
        assert len(score.unique()) == 20


def test_autocast_changes_nothing(fitted, head, sample):
    f = sample(head, n=12, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = fitted.score(f)
    assert torch.equal(inside, fitted.score(f))


def test_fitting_changes_neither_features_nor_the_global_generator(name, head, sample, fit):
    before = sample(head)
    state = torch.get_rng_state()
    np.random.seed(5)  # noqa: NPY002 - the global generator is what scikit-learn would use
    scores = fit(create_detector(name, **SMALL.get(name, {})), head).score(before)
    assert torch.equal(torch.get_rng_state(), state)
    drawn = np.random.random()  # noqa: NPY002
    assert drawn == np.random.RandomState(5).random()
    again = fit(create_detector(name, **SMALL.get(name, {})), head).score(before)
    assert torch.equal(again, scores)
    after = sample(head)
    assert torch.equal(after.z, before.z)
    assert torch.equal(after.hidden["early"], before.hidden["early"])


def test_state_keeps_no_graph(name, head, fit):
    def with_graph(f):
        hidden = {key: value.requires_grad_() for key, value in f.hidden.items()}
        return FeatureSet(f.z.requires_grad_(), f.logits, f.y, hidden, f.draws.requires_grad_())

    state = fit(create_detector(name, **SMALL.get(name, {})), head, change=with_graph)._state()
    assert not any(isinstance(value, torch.Tensor) and value.requires_grad for value in state.values())


def test_save_and_load(name, head, fit, sample, tmp_path):
    detector = fit(create_detector(name, **OTHER_VALUES.get(name, {})), head)
    detector.save(tmp_path)
    loaded = load_detector(tmp_path, head)
    test = sample(head, n=12, seed=1)
    assert type(loaded) is type(detector)
    assert loaded.hyperparameters == detector.hyperparameters
    assert loaded.request == detector.request
    assert torch.equal(loaded.score(test), detector.score(test))


def test_a_file_never_holds_the_head(name, fitted, head, tmp_path):
    fitted.save(tmp_path)
    stored = load_file(tmp_path / "detector.safetensors").values()
    if "head" in fitted.requires:
        parameters = [*head.parameters(), *head.buffers()]
        assert not any(p.shape == t.shape and torch.equal(p, t) for p in parameters for t in stored)
        with pytest.raises(ValueError, match=r"scores by the head's parameters.*got None"):
            load_detector(tmp_path)
    else:
        assert load_detector(tmp_path).head_ is None


def test_not_fitted(name, mixture, sample, tmp_path):
    with pytest.raises(ValueError, match=f"'{name}' is not fitted"):
        create_detector(name).score(sample(mixture))
    with pytest.raises(ValueError, match=f"'{name}' is not fitted"):
        create_detector(name).save(tmp_path)


def test_what_is_requested_suffices_to_score(fitted, head, sample):
    f, wanted = sample(head, n=5), fitted.request
    assert wanted.draws in (0, len(f.draws))
    hidden = {key: f.hidden[key] for key in wanted.hidden}
    bare = FeatureSet(f.z, f.logits, None, hidden, f.draws if wanted.draws else None)
    assert torch.equal(fitted.score(bare), fitted.score(f))


def test_what_is_required_and_missing_is_named(name, fitted, head, fit, sample):
    f = sample(head, n=5)
    missing = {"hidden": {}, "draws": None}
    for what in fitted.requires & missing.keys():
        with pytest.raises(ValueError, match=f"'{name}' needs features with {what}: ask feature_set for {what}"):
            fitted.score(replace(f, **{what: missing[what]}))
    if "anomalies" in fitted.requires:
        with pytest.raises(ValueError, match=r"needs features of known anomalies \(anomalies=\), got None"):
            fitted.fit(sample(head), head=head)
    if "head" in fitted.requires:
        with pytest.raises(ValueError, match=r"scores by the head's parameters: give the head \(head=\), got None"):
            fitted.fit(sample(head))


def test_a_second_fit_that_fails_leaves_the_first(name, fitted, head, fit, sample):
    before = fitted.score(sample(head))
    with pytest.raises(ValueError, match="finite"):
        fit(fitted, head, change=lambda f: replace(f, z=f.z * torch.nan))
    assert torch.equal(fitted.score(sample(head)), before)


def test_detectors_for(mixture, identity, softmax):
    everything = {"head", "hidden", "draws", "anomalies"}
    assert detectors_for(identity, everything) == list(DETECTORS)
    assert detectors_for(mixture, everything) == [name for name in DETECTORS if name != "vim"]
    assert detectors_for(softmax, everything) == [name for name in DETECTORS if name != "mixture-density"]
    demanding = {"lid", "i-defender", "k-density-uncertainty"}
    assert detectors_for(identity) == [name for name in DETECTORS if name not in demanding]


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


def test_another_device(name, fitted, head, fit, sample, elsewhere):
    test = sample(head, n=12, seed=1)
    expected = fitted.score(test)
    found = fitted.score(test.to(elsewhere))  # the head and what was fitted are still on the CPU
    assert found.device == elsewhere
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-5, atol=1e-5)
    moved = copy.deepcopy(head).to(elsewhere)
    there = fit(create_detector(name, **SMALL.get(name, {})), moved, head, lambda f: f.to(elsewhere))
    torch.testing.assert_close(there.score(test.to(elsewhere)).cpu(), expected, rtol=1e-4, atol=1e-4)
    back = there.score(test)
    assert back.device == torch.device("cpu")
    torch.testing.assert_close(back, expected, rtol=1e-4, atol=1e-4)


def test_gradients_on_another_device(fitted, head, sample, describe, elsewhere):
    if not fitted.differentiable:
        pytest.skip(f"{fitted.name} has no gradient")
    z = sample(head, n=6, seed=1).z
    here, there = z.clone().requires_grad_(), z.to(elsewhere).requires_grad_()
    fitted.score(describe(head, here)).sum().backward()
    fitted.score(describe(copy.deepcopy(head).to(elsewhere), there)).sum().backward()
    assert there.grad.device == elsewhere
    torch.testing.assert_close(there.grad.cpu(), here.grad, rtol=1e-3, atol=1e-4)
