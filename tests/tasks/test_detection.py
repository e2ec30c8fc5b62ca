from collections.abc import Callable

import pytest
import torch

from drumlin.data import Images
from drumlin.detectors import DETECTORS, KDensity
from drumlin.detectors.base import Detector
from drumlin.features import FeatureRequest, FeatureSet
from drumlin.metrics.detection import detection_metrics
from drumlin.refusal import Conformal, Predictor, calibrate
from drumlin.results import select
from drumlin.tasks import Subject
from drumlin.tasks.detection import (
    Known,
    anomalous_features,
    anomalous_sets,
    compared,
    detection,
    fit_detectors,
    refusal,
    request_to_fit,
    request_to_score,
)
from drumlin.tasks.shown import Kind

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]
SETS = ("digits:8,9", "noise", "inverted")


@pytest.mark.parametrize("head", ["softmax", "gm"])
def test_every_detector_on_every_set_with_intervals_around_the_values(subject: Make, head: str) -> None:
    made = subject(head)
    anomalies = anomalous_features(made, SETS)
    detectors = fit_detectors(made)
    others = {"lid", "i-defender", "k-density-uncertainty"} | ({"mixture-density"} if head == "softmax" else set())
    assert set(detectors) == set(DETECTORS) - others
    result = detection(made, anomalies, detectors, repeats=30)
    test = made.features(made.run.test_images())
    metrics = set(detection_metrics([0.0], [1.0]))
    found = {(r.detector, r.anomaly, r.metric) for r in result.records}
    assert found == {(d, a, m) for d in detectors for a in SETS for m in metrics}
    assert len(result.records) == len(found)
    for record in result.records:
        assert record.value is not None
        assert record.ci_low is not None
        assert record.ci_high is not None
        assert record.ci_low - 0.02 <= record.value <= record.ci_high + 0.02
        assert record.ci_low < record.ci_high or record.value in (0, 1)
        assert record.n == len(test) + len(anomalies[str(record.anomaly)])
        assert (record.split, record.protocol, record.unit) == ("test", "all-test-samples", "fraction")
    # the arrays are the scores that the numbers are of
    for name in detectors:
        normal = result.arrays[f"{name}/test"]
        values = detection_metrics(normal.numpy(), result.arrays[f"{name}/noise"].numpy())
        stored = {r.metric: r.value for r in result.records if (r.detector, r.anomaly) == (name, "noise")}
        assert stored == pytest.approx(values)


def test_the_positives_are_the_anomalies(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject("softmax")

    class Perfect(Detector):
        name = "perfect"

        def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
            pass

        def _score(self, features: FeatureSet, y: torch.Tensor) -> torch.Tensor:
            return torch.full((len(features),), 0.0 if features.y is not None else 1.0)

    perfect = Perfect().fit(made.features(made.run.test_images()))
    strange = FeatureSet(torch.zeros(5, 16), torch.zeros(5, 8))
    records = {
        r.metric: r.value for r in detection(made, {"strange": strange}, {"perfect": perfect}, repeats=5).records
    }
    assert (records["auroc"], records["fpr95"]) == (1.0, 0.0)


def test_nothing_is_fitted_on_test_or_held_out_samples(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject("gm")
    fitted: list[FeatureSet] = []
    original = Detector.fit

    def spy(self: Detector, features: FeatureSet, **others: object) -> Detector:
        fitted.append(features)
        assert others.get("anomalies") is None
        return original(self, features, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(Detector, "fit", spy)
    detectors = fit_detectors(made)
    run = made.run
    training = made.features(run.train_images())
    assert len(fitted) == len(detectors)
    for features in fitted:
        assert len(features) == len(run.split.train)
        assert torch.equal(features.z, training.z)
    detection(made, anomalous_features(made, ("noise",)), detectors, repeats=2)
    conformal = calibrate(run.classifier, detectors["msp"], made.features(run.holdout_images()), 0.05)
    refusal(made, {}, detectors["msp"], conformal)
    assert len(fitted) == len(detectors)  # measuring fits nothing
    # and the three parts have no image in common by place
    assert not set(run.split.train.tolist()) & set(run.split.holdout.tolist())
    assert run.test_images().split == "test"
    assert run.train_images().split == run.holdout_images().split == "train"


def test_refusals_are_counted_by_hand(subject: Make) -> None:
    made = subject("softmax")
    detector = fit_detectors(made, ["msp"])["msp"]
    test = made.features(made.run.test_images())
    scores = detector.score(test)
    # calibrated on the test scores themselves, but for the largest: a known share is above
    threshold = scores.sort().values[-11]
    conformal = Conformal(torch.full((99,), float(threshold)), 0.05)
    anomalies = anomalous_features(made, ("noise",))
    result = refusal(made, anomalies, detector, conformal)
    records = {r.anomaly: r for r in result.records}
    assert result.arrays.keys() == {"msp/test", "msp/noise"}
    assert torch.equal(result.arrays["msp/test"], scores)
    assert torch.equal(result.arrays["msp/noise"], detector.score(anomalies["noise"]))
    assert records["test"].value == pytest.approx(10 / len(test))
    assert records["test"].published == 0.05
    assert records["test"].protocol == "false-alarm=0.05"
    expected = float((detector.score(anomalies["noise"]) > threshold).float().mean())
    assert records["noise"].value == pytest.approx(expected)
    assert records["noise"].published is None
    low, high = records["test"].ci_low, records["test"].ci_high
    assert low is not None
    assert high is not None
    assert 0 <= low < 0.05 < high < 0.2  # about the rate asked for


def test_false_alarms_of_a_calibrated_run_are_what_was_asked_for(subject: Make) -> None:
    made = subject("softmax")
    detector = fit_detectors(made, ["k-density"])["k-density"]
    assert isinstance(detector, KDensity)
    conformal = calibrate(made.run.classifier, detector, made.features(made.run.holdout_images()), 0.05)
    (record,) = refusal(made, {}, detector, conformal).records
    assert record.value is not None
    assert record.ci_low is not None
    assert record.ci_high is not None
    # digits of the test split are by other writers: near the interval, not sure to be in it
    assert record.value <= record.ci_high + 0.1


def test_detection_of_nothing(subject: Make) -> None:
    with pytest.raises(ValueError, match=r"needs at least one set of anomalies, got none: name some with --ood"):
        detection(subject("softmax"), {}, {})


def test_anomalous_sets_have_images_and_features_in_the_same_order(subject: Make) -> None:
    made = subject("softmax")
    sets = anomalous_sets(made, SETS)
    assert list(sets) == list(SETS)
    for shown in sets.values():
        assert shown.kind is Kind.OUT_OF_DISTRIBUTION
        assert torch.equal(shown.features.z, made.features(shown.images).z)


def test_anomalies_are_brought_to_the_models_size(subject: Make, tmp_path_factory: pytest.TempPathFactory) -> None:
    from PIL import Image

    place = tmp_path_factory.mktemp("strange")
    Image.new("RGB", (30, 20), (200, 10, 10)).save(place / "red.png")
    Image.new("L", (8, 8), 5).save(place / "dark.png")
    made = subject("softmax")
    features = anomalous_features(made, [f"folder:{place}"], root=str(place / "root"))
    assert features[f"folder:{place}"].z.shape == (2, 16)
    like = made.run.test_images()
    assert isinstance(like, Images)


def test_by_default_a_detector_that_the_training_images_do_not_do_for_is_left_out_and_named(
    subject: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = subject("softmax")

    def refuse(*arguments: object) -> None:
        raise ValueError("a class has a single image")

    monkeypatch.setattr(DETECTORS["gda"], "_fit", refuse)
    with pytest.warns(UserWarning, match="detector gda is left out: a class has a single image"):
        assert "gda" not in fit_detectors(made)
    with pytest.raises(ValueError, match="a class has a single image"):
        fit_detectors(made, ["gda"])


def test_hidden_layers_are_there_for_detectors_that_need_them(subject: Make) -> None:
    made = subject("softmax")
    detectors = fit_detectors(made, ["i-defender", "msp"])
    layers = made.run.classifier.hidden_names()
    assert detectors["i-defender"].request == request_to_score(detectors.values()) == FeatureRequest(layers)
    assert request_to_fit(made, ["i-defender", "msp"]) == FeatureRequest(layers)
    assert request_to_fit(made, ["msp"]) == FeatureRequest()
    anomalies = anomalous_features(made, ("noise",), request=request_to_score(detectors.values()))
    records = select(detection(made, anomalies, detectors, repeats=3).records, metric="auroc")
    assert {r.detector for r in records} == {"i-defender", "msp"}
    with pytest.raises(ValueError, match="'i-defender' needs features with hidden"):
        detection(made, anomalous_features(made, ("noise",)), detectors, repeats=3)
    conformal = calibrate(
        made.run.classifier,
        detectors["i-defender"],
        made.features(made.run.holdout_images(), detectors["i-defender"].request),
        0.1,
    )
    predictor = Predictor(made.run.classifier, detectors["i-defender"], conformal)
    x = made.run.test_images().subset(torch.arange(7)).float()
    expected = detectors["i-defender"].score(made.features(made.run.test_images(), FeatureRequest(layers)))[:7]
    torch.testing.assert_close(predictor.predict(x).score, expected, rtol=1e-4, atol=1e-4)


def test_a_regression_is_fitted_to_known_anomalies_and_held_out_images(subject: Make) -> None:
    made = subject("softmax")
    request = request_to_fit(made, ["lid"])
    normals = made.features(made.run.holdout_images(), request)
    known = Known(anomalous_features(made, ("noise",), request=request)["noise"], normals)
    with pytest.raises(ValueError, match="'lid' needs features of known anomalies"):
        fit_detectors(made, ["lid"])
    detector = fit_detectors(made, ["lid"], known=known)["lid"]
    strange = anomalous_features(made, ("inverted",), request=detector.request)
    (auroc,) = select(detection(made, strange, {"lid": detector}, repeats=3).records, metric="auroc")
    assert auroc.value is not None
    assert auroc.value > 0.7


def test_without_any_anomaly_there_is_no_number(subject: Make) -> None:
    made = subject("softmax")
    records = compared(made, torch.zeros(3), torch.zeros(0), detector="d", anomaly="a", protocol="p")
    assert {r.metric for r in records} == set(detection_metrics([0.0], [1.0]))
    assert all(r.value is None and r.n == 3 for r in records)


def test_hyperparameters_of_one_detector_leave_the_others_as_they_are(subject: Make) -> None:
    made = subject("softmax")
    own = {"k-density": {"bandwidth": 3.0}}
    detectors = fit_detectors(made, ["k-density", "k-nn"], hyperparameters=own)
    density = detectors["k-density"]
    assert isinstance(density, KDensity)
    assert density.bandwidth == 3.0
    plain = fit_detectors(made, ["k-density", "k-nn"])
    test = made.features(made.run.test_images())
    assert not torch.equal(density.score(test), plain["k-density"].score(test))
    assert torch.equal(detectors["k-nn"].score(test), plain["k-nn"].score(test))
    assert request_to_fit(made, ["k-density-uncertainty"], {"k-density-uncertainty": {"draws": 7}}).draws == 7
    with pytest.raises(ValueError, match="unknown hyperparameter of detector 'k-density' 'band'"):
        fit_detectors(made, ["k-density"], hyperparameters={"k-density": {"band": 1.0}})
