"""The checks that every detector gets from its base class."""

import pytest
import torch

from drumlin.detectors import ComponentLikelihood, Detector, Energy, KDensity, load_detector
from drumlin.detectors.artifact import read_artifact, write_artifact
from drumlin.features import FeatureSet
from drumlin.heads import GaussianMixtureHead


class Demanding(Detector):
    """Wants everything."""

    name = "demanding"
    requires = frozenset({"hidden", "draws", "anomalies"})

    def _fit(self, features, anomalies, normals):
        self.seen_ = [len(anomalies), len(normals)]

    def _score(self, features, y):
        return features.z.sum(1)


def full(n=2):
    return FeatureSet(torch.ones(n, 4), torch.ones(n, 3), None, {"trunk": torch.ones(n, 2)}, torch.ones(5, n, 3))


def without(**changes):
    values = {
        "z": torch.ones(2, 4),
        "logits": torch.ones(2, 3),
        "hidden": full().hidden,
        "draws": full().draws,
    } | changes
    return FeatureSet(**values)


def test_what_is_required_must_be_there():
    both = {"anomalies": full(7), "normals": full(3)}
    assert Demanding().fit(full(), **both).seen_ == [7, 3]
    assert Demanding().fit(without(draws=None), **both).seen_ == [7, 3]  # nobody needs draws of 60,000 training samples
    with pytest.raises(ValueError, match="'demanding' needs features with hidden"):
        Demanding().fit(without(hidden={}), **both)
    with pytest.raises(ValueError, match=r"'demanding' needs features of known anomalies \(anomalies=\), got None"):
        Demanding().fit(full(), normals=full())
    with pytest.raises(
        ValueError, match=r"'demanding' needs features of held-out normal samples \(normals=\), got None"
    ):
        Demanding().fit(full(), anomalies=full())
    with pytest.raises(ValueError, match="got an empty set"):
        Demanding().fit(full(), anomalies=full(0), normals=full())
    for name in both:
        for what, missing in (("hidden", {}), ("draws", None)):
            with pytest.raises(ValueError, match=f"'demanding' needs features with {what}"):
                Demanding().fit(full(), **(both | {name: without(**{what: missing})}))
        other = FeatureSet(torch.ones(2, 5), torch.ones(2, 3), None, full().hidden, full().draws)
        with pytest.raises(ValueError, match=rf"{name}=\) have \(width, classes\) \(5, 3\), .* \(4, 3\)"):
            Demanding().fit(full(), **(both | {name: other}))
    for what, missing in (("hidden", {}), ("draws", None)):
        with pytest.raises(ValueError, match=f"'demanding' needs features with {what}"):
            Demanding().fit(full(), **both).score(without(**{what: missing}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("what", ["z", "logits", r"hidden\['trunk'\]"])
def test_non_finite_features_are_named(what, value):
    bad = torch.ones(5, 3)
    bad[[1, 4], 2] = value
    good = torch.ones(5, 3)
    parts = {"z": good, "logits": good, r"hidden\['trunk'\]": good, what: bad}
    f = FeatureSet(parts["z"], parts["logits"], None, {"trunk": parts[r"hidden\['trunk'\]"]})
    message = f"features have non-finite {what} in 2 of 5 samples, the first is 1"
    with pytest.raises(ValueError, match=message):
        Energy().fit(f)
    with pytest.raises(ValueError, match=message):
        Energy().fit(FeatureSet(good, good)).score(f)


def test_non_finite_draws_are_named():
    bad = torch.ones(5, 2, 3)
    bad[2, 1, 0] = torch.nan
    with pytest.raises(ValueError, match="features have non-finite draws in 1 of 2 samples, the first is 1"):
        Energy().fit(without(draws=bad))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"hidden": {"trunk": torch.ones(3, 2)}}, r"hidden\['trunk'\] of shape \(2, width\), got \(3, 2\)"),
        ({"hidden": {"trunk": torch.ones(2, 2, 2)}}, r"hidden\['trunk'\] of shape \(2, width\), got \(2, 2, 2\)"),
        ({"draws": torch.ones(2, 5, 3)}, r"draws of shape \(T, 2, 3\), got \(2, 5, 3\)"),
        ({"draws": torch.ones(2, 3)}, r"draws of shape \(T, 2, 3\), got \(2, 3\)"),
    ],
)
def test_hidden_layers_and_draws_of_other_samples(parts, message):
    with pytest.raises(ValueError, match=f"features must have {message}"):
        Energy().fit(without(**parts))


class Outer(Detector):
    """Makes use of another detector."""

    name = "outer"

    def __init__(self):
        self.inner_ = KDensity(bandwidth=1.0)

    def _fit(self, features, anomalies, normals):
        self.inner_ = KDensity(bandwidth=1.0).fit(features)
        self.factor_ = 2.0

    def _score(self, features, y):
        return self.factor_ * self.inner_.score(features, y)


def test_a_detector_inside_another_is_saved_with_it(sample, mixture, tmp_path, monkeypatch):
    from drumlin.detectors import DETECTORS

    monkeypatch.setitem(DETECTORS, "outer", Outer)
    f = sample(mixture)
    detector = Outer().fit(f)
    detector.save(tmp_path)
    description, tensors = read_artifact(tmp_path, "detector", "")
    assert tensors.keys() == {"inner_.features_", "inner_.counts_"}
    assert description["state"] == {
        "in_features_": 4,
        "num_classes_": 3,
        "factor_": 2.0,
        "inner_.in_features_": 4,
        "inner_.num_classes_": 3,
        "inner_.bandwidth_": 1.0,
    }
    assert torch.equal(load_detector(tmp_path).score(f), 2 * KDensity(bandwidth=1.0).fit(f).score(f))


def test_labels_are_checked_where_they_are_needed(mixture, sample):
    f = sample(mixture)
    with pytest.raises(ValueError, match=r"'k-density' needs the labels of the training features \(y\), got None"):
        KDensity().fit(FeatureSet(f.z, f.logits))
    with pytest.raises(ValueError, match=r"labels y must lie in 0\.\.2, got 3"):
        KDensity().fit(FeatureSet(f.z, f.logits, f.y + 1))
    with pytest.raises(ValueError, match=r"labels y must be int64 of shape \(60,\), got torch.float32"):
        KDensity().fit(FeatureSet(f.z, f.logits, f.y.float()))


def test_classes_to_condition_on_are_checked(mixture, sample):
    f = sample(mixture, n=3)
    detector = Energy().fit(f)
    with pytest.raises(ValueError, match=r"classes y must lie in 0\.\.2, got -1"):
        detector.score(f, torch.tensor([0, -1, 2]))
    with pytest.raises(ValueError, match=r"classes y must lie in 0\.\.2, got 3"):
        detector.score(f, torch.tensor([0, 3, 2]))
    with pytest.raises(ValueError, match=r"classes y must be int64 of shape \(3,\), got torch.int64 of shape \(2,\)"):
        detector.score(f, torch.tensor([0, 1]))


def test_features_of_another_model(mixture, sample):
    detector = Energy().fit(sample(mixture))
    with pytest.raises(ValueError, match=r"fitted to features of \(width, classes\) \(4, 3\), got \(5, 3\)"):
        detector.score(FeatureSet(torch.ones(2, 5), torch.ones(2, 3)))
    with pytest.raises(ValueError, match=r"\(4, 3\), got \(4, 2\)"):
        detector.score(FeatureSet(torch.ones(2, 4), torch.ones(2, 2)))
    with pytest.raises(ValueError, match=r"head takes \(width, classes\) \(5, 3\), the features have \(4, 3\)"):
        ComponentLikelihood().fit(sample(mixture), head=GaussianMixtureHead(5, 3))


def test_shapes_that_do_not_belong_together():
    with pytest.raises(ValueError, match=r"z \(N, D\) and logits \(N, K\), got shapes \(2, 4\) and \(3, 3\)"):
        Energy().fit(FeatureSet(torch.ones(2, 4), torch.ones(3, 3)))


def test_a_head_is_asked_for(mixture, sample):
    with pytest.raises(ValueError, match=r"'component-likelihood' scores by the head's parameters: give the head"):
        ComponentLikelihood().fit(sample(mixture))


def test_no_training_features(mixture):
    with pytest.raises(ValueError, match="'energy' needs training features to be fitted, got none"):
        Energy().fit(FeatureSet(torch.zeros(0, 4), torch.zeros(0, 3)))


def test_a_fit_that_failed_leaves_no_half_fitted_detector(mixture, sample):
    detector = KDensity()
    with pytest.raises(ValueError, match="no training features of class"):
        detector.fit(FeatureSet(torch.ones(1, 4), torch.ones(1, 3), torch.tensor([0])))
    with pytest.raises(ValueError, match="not fitted"):
        detector.score(sample(mixture))


def test_nothing_keeps_the_graph_of_training_features(mixture, sample):
    f = sample(mixture)
    detector = KDensity(bandwidth=1.0).fit(FeatureSet(f.z.requires_grad_(), f.logits, f.y))
    assert not detector.features_.requires_grad


def test_scores_under_no_grad_have_no_graph(mixture):
    z = torch.ones(2, 4, requires_grad=True)
    f = FeatureSet(z, mixture.logits(z))
    with torch.no_grad():
        assert not Energy().fit(f).score(f).requires_grad
    assert Energy().fit(f).score(f).requires_grad


def test_a_saved_detector_of_an_unknown_kind(tmp_path):
    write_artifact(tmp_path, "detector", {}, {"detector": "nosuch", "hyperparameters": {}, "state": {}})
    with pytest.raises(ValueError, match="unknown detector 'nosuch'"):
        load_detector(tmp_path)


def test_a_flipped_byte_is_found_by_load(mixture, sample, tmp_path):
    KDensity().fit(sample(mixture)).save(tmp_path)
    path = tmp_path / "detector.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"detector\.safetensors is damaged.*fit and save the detector again"):
        load_detector(tmp_path)


def test_nothing_saved(tmp_path):
    with pytest.raises(ValueError, match=r"detector\.safetensors is missing"):
        load_detector(tmp_path)


def test_the_description_says_that_a_head_is_needed(mixture, sample, tmp_path):
    ComponentLikelihood().fit(sample(mixture), head=mixture).save(tmp_path)
    description, _ = read_artifact(tmp_path, "detector", "")
    assert description["requires"] == ["head"]
    assert description["state"] == {"in_features_": 4, "num_classes_": 3}


def test_load_refuses_a_head_of_another_size(mixture, sample, tmp_path):
    ComponentLikelihood().fit(sample(mixture), head=mixture).save(tmp_path)
    with pytest.raises(ValueError, match=r"head takes \(width, classes\) \(4, 5\)"):
        load_detector(tmp_path, GaussianMixtureHead(4, 5))
