import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import drumlin
from drumlin.detectors import ComponentLikelihood, Energy, KDensity
from drumlin.features import FeatureSet, feature_set
from drumlin.model import Classifier, InputSpec
from drumlin.refusal import Conformal, Origin, Predictor, calibrate, load, scores_needed
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import head_settings

FILES = ["detector.safetensors", "detector.json", "calibration.safetensors", "calibration.json"]


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    inputs = InputSpec(channels=1, size=(8, 8), mean=(0.5,), std=(0.25,))
    backbone = backbone_settings("digits-cnn", feature_dim=4, width=4)
    classifier = Classifier.create(backbone, head_settings("gm", warmup_steps=0), ["ant", "bee", "cat"], inputs)
    with torch.no_grad():
        classifier(torch.rand(64, 1, 8, 8))
        z = classifier.eval().features(torch.rand(256, 1, 8, 8))
        linear = classifier.backbone.linear
        linear.weight /= z.std(0)[:, None]
        linear.bias.copy_((linear.bias - z.mean(0)) / z.std(0))
    return classifier


@pytest.fixture
def images():
    return torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def predictor(classifier, images):
    with torch.no_grad():
        train = feature_set(classifier, images, torch.arange(40) % 3)
        held_out = feature_set(classifier, torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(3)))
    detector = KDensity(bandwidth=1.0).fit(train)
    return Predictor(classifier, detector, calibrate(classifier, detector, held_out, 0.1))


@pytest.fixture
def run(predictor, tmp_path):
    predictor.classifier.save(tmp_path)
    predictor.save(tmp_path, holdout=torch.arange(30))
    return tmp_path


# Conformal


def test_p_values_by_hand_with_ties():
    conformal = Conformal(torch.tensor([3.0, 1.0, 2.0, 2.0]), 0.2)
    scores = torch.tensor([0.0, 1.0, 1.5, 2.0, 3.0, 3.5])
    assert conformal.p_value(scores).tolist() == [5 / 5, 5 / 5, 4 / 5, 4 / 5, 2 / 5, 1 / 5]
    assert conformal.accepts(scores).tolist() == [True, True, True, True, True, False]
    assert conformal.p_value(scores).dtype == torch.float64


def test_p_values_in_a_slow_loop():
    generator = torch.Generator().manual_seed(0)
    held_out = torch.randint(0, 20, (50,), generator=generator).float()
    scores = torch.randint(-2, 23, (70,), generator=generator).float()
    expected = [(1 + sum(h >= s for h in held_out.tolist())) / 51 for s in scores.tolist()]
    assert Conformal(held_out, 0.1).p_value(scores).tolist() == expected


def test_p_value_falls_as_the_score_rises():
    held_out = torch.randn(200, generator=torch.Generator().manual_seed(0))
    p = Conformal(held_out, 0.05).p_value(torch.linspace(-5, 5, 500))
    assert bool((p.diff() <= 0).all())
    assert p[0] == 1
    assert p[-1] == 1 / 201


def test_equality_is_refused_exactly():
    """p == a is refused for every rate k/(n+1): no floating-point slip on either side."""
    for n in (9, 48, 99, 999):
        held_out = torch.arange(1.0, n + 1)
        for k in range(1, n + 1):
            conformal = Conformal(held_out, k / (n + 1))
            # exactly k − 1 held-out scores reach n + 1.5 − k, and k reach n + 0.5 − k
            assert conformal.accepts(torch.tensor([n + 1.5 - k, n + 0.5 - k])).tolist() == [False, True]


def test_threshold_is_the_largest_accepted_score():
    conformal = Conformal(torch.arange(1.0, 100.0), 0.05)
    assert conformal.threshold == 95.0  # 95..99 reach 95: p = 6/100; 96..99 reach 96: p = 5/100
    assert conformal.accepts(torch.tensor([95.0, 95.0001])).tolist() == [True, False]


def test_threshold_may_be_infinite():
    conformal = Conformal(torch.tensor([0.0, math.inf, math.inf, math.inf]), 0.25)
    assert conformal.threshold == math.inf


def test_infinite_scores_rank_and_nan_is_refused():
    conformal = Conformal(torch.tensor([1.0, 2.0, math.inf]), 0.25)
    assert conformal.p_value(torch.tensor([5.0, math.inf, -math.inf, math.nan])).tolist() == [0.5, 0.5, 1.0, 0.25]
    assert not conformal.accepts(torch.tensor([math.nan])).item()


def test_p_values_of_held_out_like_scores_are_uniform():
    generator = torch.Generator().manual_seed(0)
    ranks = torch.cat(
        [
            Conformal(torch.randn(9, generator=generator), 0.2).p_value(torch.randn(1, generator=generator))
            for _ in range(4000)
        ]
    )
    shares = torch.bincount((ranks * 10).round().long(), minlength=11)[1:] / 4000
    assert shares.sub(0.1).abs().max() < 0.02  # standard deviation 0.005


def test_false_alarms_are_beta_binomial():
    """Over draws of calibration set and test set: mean k/(n+1), and a variance 1 + (m−1)/(n+2) times the binomial's."""
    n, m, a, draws = 99, 200, 0.1, 3000
    random = np.random.default_rng(0)
    alarms = []
    for _ in range(draws):
        conformal = Conformal(torch.from_numpy(random.standard_normal(n)), a)
        alarms.append(m - int(conformal.accepts(torch.from_numpy(random.standard_normal(m))).sum()))
    variance = m * a * (1 - a) * (1 + (m - 1) / (n + 2))
    assert abs(np.mean(alarms) - m * a) < 4 * math.sqrt(variance / draws)
    assert np.var(alarms) == pytest.approx(variance, rel=0.12)
    binomial = m * a * (1 - a)
    assert np.var(alarms) > 2 * binomial


@pytest.mark.parametrize(
    ("rate", "n"), [(0.01, 99), (0.05, 19), (0.1, 9), (0.3, 3), (0.5, 1), (0.9, 1), (0.0005, 1999), (1 / 3, 2)]
)
def test_scores_needed(rate, n):
    assert scores_needed(rate) == n
    assert not Conformal(torch.zeros(n), rate).accepts(torch.ones(1)).item()  # with so many something can be refused
    if n > 1:
        with pytest.raises(
            ValueError, match=f"false-alarm rate of {rate} needs at least {n} held-out scores, got {n - 1}"
        ):
            Conformal(torch.zeros(n - 1), rate)


def test_scores_needed_is_exact_for_every_reciprocal():
    assert [scores_needed(1 / k) for k in range(2, 3000)] == [k - 1 for k in range(2, 3000)]
    assert [scores_needed(math.nextafter(1 / k, 0)) for k in range(2, 3000)] == list(
        range(2, 3000)
    )  # just too small for k − 1


def test_no_scores_at_all():
    with pytest.raises(ValueError, match="needs at least 1 held-out scores, got 0"):
        Conformal(torch.zeros(0), 0.9)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, math.nan, 1.5])
def test_false_alarm_rate_out_of_range(rate):
    with pytest.raises(ValueError, match="false_alarm must lie strictly between 0 and 1"):
        Conformal(torch.zeros(1000), rate)


def test_calibration_scores_that_are_none():
    with pytest.raises(ValueError, match="calibration scores have NaN in 1 of 3 places"):
        Conformal(torch.tensor([0.0, math.nan, 1.0]), 0.5)
    with pytest.raises(ValueError, match=r"calibration scores must be floating point of shape \(n,\), got .* \(3, 1\)"):
        Conformal(torch.zeros(3, 1), 0.5)


def test_save_and_load_to_the_bit(tmp_path):
    origin = Origin(detector="energy", detector_hash="a", model="b", holdout="c")
    conformal = Conformal(torch.tensor([0.1, math.inf, -math.inf, 3.0]), 0.3, origin=origin)
    conformal.save(tmp_path)
    loaded = Conformal.load(tmp_path)
    assert torch.equal(loaded.scores, conformal.scores)
    assert (loaded.false_alarm, loaded.origin) == (0.3, origin)


# Predictor


def test_predictions(predictor, images):
    prediction = predictor.predict(images)
    with torch.no_grad():
        features = feature_set(predictor.classifier, images)
    posterior = features.logits.softmax(1)
    assert torch.equal(prediction.label, posterior.argmax(1))
    assert len(set(prediction.names)) > 1
    assert prediction.names == tuple(["ant", "bee", "cat"][k] for k in prediction.label)
    torch.testing.assert_close(prediction.probability, posterior.amax(1))
    torch.testing.assert_close(prediction.score, predictor.detector.score(features))
    assert torch.equal(prediction.p_value, predictor.conformal.p_value(prediction.score))
    assert torch.equal(prediction.accepted, prediction.p_value > 0.1)


def test_strange_images_are_refused_and_usual_ones_are_not():
    classifier = Classifier.wrap(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), "1", channels=1)  # features are pixels
    usual = 0.5 + 0.05 * torch.randn(150, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-5, 5)
    with torch.no_grad():
        features = feature_set(classifier, usual, torch.arange(150) % 2)
    train, held_out = features.subset(torch.arange(50)), features.subset(torch.arange(50, 100))
    detector = KDensity().fit(train)
    predictor = Predictor(classifier, detector, calibrate(classifier, detector, held_out, 0.05))
    strange = predictor.predict(torch.ones(5, 1, 8, 8))
    assert not strange.accepted.any()
    assert bool((strange.p_value == 1 / 51).all())
    assert predictor.predict(usual[100:]).accepted.float().mean() > 0.8


def test_batches_and_modes(predictor, images):
    predictor.classifier.train()
    before = {name: value.clone() for name, value in predictor.classifier.state_dict().items()}
    whole, parts = predictor.predict(images), predictor.predict(images, batch_size=7)
    assert predictor.classifier.training
    assert all(torch.equal(value, before[name]) for name, value in predictor.classifier.state_dict().items())
    assert torch.equal(whole.label, parts.label)
    torch.testing.assert_close(whole.score, parts.score, rtol=1e-4, atol=1e-4)


def test_no_images(predictor):
    prediction = predictor.predict(torch.zeros(0, 1, 8, 8))
    assert prediction.names == ()
    assert prediction.label.shape == prediction.probability.shape == prediction.score.shape == (0,)
    assert prediction.p_value.shape == prediction.accepted.shape == (0,)


def test_before_calibration(classifier, images):
    prediction = Predictor(classifier).predict(images)
    assert prediction.label.shape == (40,)
    assert prediction.score is prediction.p_value is prediction.accepted is None
    with pytest.raises(ValueError, match=r"not calibrated.*run `drumlin calibrate RUN --false-alarm 0\.01`"):
        Predictor(classifier).require_calibrated()


def test_a_detector_alone_gives_scores(predictor, images):
    prediction = Predictor(predictor.classifier, predictor.detector).predict(images)
    assert prediction.score.shape == (40,)
    assert prediction.accepted is None


def test_a_calibrated_predictor_passes(predictor):
    predictor.require_calibrated()


def test_a_calibration_needs_its_detector(predictor):
    with pytest.raises(ValueError, match="detector is None"):
        Predictor(predictor.classifier, None, predictor.conformal)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.full((1, 1, 8, 8), 1.01), r"images must lie in \[0, 1\], got values from 1.0"),
        (torch.full((1, 1, 8, 8), math.nan), r"images must lie in \[0, 1\], got values from nan"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), "divide 8-bit values by 255"),
        (torch.zeros(1, 3, 8, 8), r"shape \(N, 1, H, W\), 8x8, got \(1, 3, 8, 8\)"),
        (torch.zeros(1, 1, 9, 8), r"shape \(N, 1, H, W\), 8x8, got \(1, 1, 9, 8\)"),
        (torch.zeros(1, 8, 8), r"shape \(N, 1, H, W\), 8x8, got \(1, 8, 8\)"),
    ],
)
def test_images_that_do_not_fit(predictor, bad, message):
    with pytest.raises(ValueError, match=message):
        predictor.predict(bad)


def test_batch_size_out_of_range(predictor, images):
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        predictor.predict(images, batch_size=0)


def test_calibrate_conditions_on_predictions_not_labels(predictor, images):
    with torch.no_grad():
        features = feature_set(predictor.classifier, images)
    wrong = FeatureSet(features.z, features.logits, (features.prediction + 1) % 3)
    conformal = calibrate(predictor.classifier, predictor.detector, wrong, 0.1)
    torch.testing.assert_close(conformal.scores, predictor.detector.score(features).double().sort().values)


def test_calibrate_with_the_head_of_another_classifier(classifier, images):
    with torch.no_grad():
        features = feature_set(classifier, images)
    other = drumlin.GaussianMixtureHead(4, 3)
    detector = ComponentLikelihood().fit(features, head=other)
    with pytest.raises(ValueError, match="'component-likelihood' was fitted with the head of another classifier"):
        calibrate(classifier, detector, features, 0.1)


def test_calibrate_on_too_few(predictor, images):
    with torch.no_grad():
        features = feature_set(predictor.classifier, images)
    with pytest.raises(ValueError, match=r"false-alarm rate of 0\.01 needs at least 99 held-out scores, got 40"):
        calibrate(predictor.classifier, predictor.detector, features, 0.01)


# Saving and loading


def test_round_trip(run, predictor, images):
    loaded = load(run)
    before, after = predictor.predict(images), loaded.predict(images)
    assert drumlin.load is load
    for name in ("label", "probability", "score", "p_value", "accepted"):
        assert torch.equal(getattr(after, name), getattr(before, name))
    assert after.names == before.names
    assert loaded.conformal.origin.detector == "k-density"


def test_a_detector_that_needs_the_head_gets_that_of_the_loaded_model(predictor, images, tmp_path):
    classifier = predictor.classifier
    with torch.no_grad():
        features = feature_set(classifier, images)
    detector = ComponentLikelihood().fit(features, head=classifier.head)
    saved = Predictor(classifier, detector, calibrate(classifier, detector, features, 0.1))
    classifier.save(tmp_path)
    saved.save(tmp_path, holdout=torch.arange(40))
    loaded = load(tmp_path)
    assert loaded.detector.head_ is loaded.classifier.head
    assert torch.equal(loaded.predict(images).score, saved.predict(images).score)


def test_a_run_that_is_not_calibrated(classifier, images, tmp_path):
    classifier.save(tmp_path)
    loaded = load(tmp_path)
    assert loaded.predict(images).accepted is None
    with pytest.raises(ValueError, match="not calibrated"):
        loaded.require_calibrated()


def test_a_wrapped_model(tmp_path):
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    classifier = Classifier.wrap(module, "1", channels=1)
    images = torch.rand(20, 1, 8, 8)
    with torch.no_grad():
        features = feature_set(classifier, images)
    detector = Energy().fit(features)
    predictor = Predictor(classifier, detector, calibrate(classifier, detector, features, 0.1))
    classifier.save(tmp_path)
    predictor.save(tmp_path, holdout=torch.arange(20))
    fresh = Classifier.wrap(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), "1", channels=1)
    assert torch.equal(load(tmp_path, into=fresh).predict(images).p_value, predictor.predict(images).p_value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(run, name):
    (run / name).unlink()
    with pytest.raises(ValueError, match=rf"calibration is not whole, {name} missing; calibrate again"):
        load(run)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte(run, name):
    content = bytearray((run / name).read_bytes())
    place = content.index(b"0", len(content) // 2) if name.endswith("json") else len(content) - 1
    content[place] ^= 1
    (run / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}|belongs to another detector"):
        load(run)


def test_another_version(run):
    path = run / "calibration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(
        ValueError, match=r"calibration\.json is of version 99; this drumlin reads version 1; calibrate again"
    ):
        load(run)


def test_a_model_trained_again(run, classifier):
    with torch.no_grad():
        classifier.head.means += 1
    classifier.save(run)
    with pytest.raises(ValueError, match=r"calibration belongs to another model.*calibrate again"):
        load(run)


def test_a_detector_fitted_again(run, predictor, images):
    with torch.no_grad():
        features = feature_set(predictor.classifier, images)
    Energy().fit(features).save(run)
    with pytest.raises(ValueError, match=r"calibration belongs to another detector.*calibrate again"):
        load(run)


def test_a_calibration_of_unknown_origin(run, predictor):
    Conformal(predictor.conformal.scores, 0.1).save(run)
    with pytest.raises(ValueError, match="calibration belongs to another model"):
        load(run)


def test_save_into_the_run_of_another_model(run, predictor, classifier):
    with torch.no_grad():
        classifier.head.means += 1
    with pytest.raises(ValueError, match="holds another model than the one that was calibrated"):
        predictor.save(run, holdout=torch.arange(30))


def test_save_before_calibration(classifier, tmp_path):
    classifier.save(tmp_path)
    with pytest.raises(ValueError, match="not calibrated"):
        Predictor(classifier).save(tmp_path, holdout=torch.arange(3))
    assert not (tmp_path / "detector.json").exists()


def test_what_was_held_out_is_recorded(run, predictor):
    first = Conformal.load(run).origin
    predictor.save(run, holdout=torch.arange(1, 31))
    second = Conformal.load(run).origin
    assert first.holdout != second.holdout
    assert (first.model, first.detector_hash) == (second.model, second.detector_hash)


def test_no_model_there(tmp_path):
    with pytest.raises(ValueError, match="holds no trained model"):
        load(tmp_path)
