import dataclasses
from collections.abc import Callable

import pytest
import torch

from drumlin.attacks import BIM, FGSM, PGD, Noise
from drumlin.features import FeatureRequest
from drumlin.metrics.detection import auroc
from drumlin.refusal import Conformal
from drumlin.results import select
from drumlin.tasks import Subject
from drumlin.tasks.adversarial import ALL, SUCCESSFUL, adapted, adversarial_detection, safety
from drumlin.tasks.detection import fit_detectors
from drumlin.tasks.robustness import attack_images, pick

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]


def test_both_protocols_by_hand(subject: Make) -> None:
    made = subject("softmax")
    detectors = fit_detectors(made, ["msp", "k-density"])
    attacked = attack_images(made, BIM(epsilon=0.15), target="random", limit=80)
    result = adversarial_detection(made, {"bim": attacked}, detectors, protocol="why", repeats=3)
    test = made.features(made.run.test_images())
    right = test.prediction[:80] == test.y[:80]
    fooled = right & attacked.success
    assert 0 < int(fooled.sum()) < 80
    for name, detector in detectors.items():
        before, after = detector.score(test)[:80], detector.score(attacked.features)
        values = {r.protocol: r for r in select(result.records, detector=name, metric="auroc")}
        assert values.keys() == {f"{ALL}, why", f"{SUCCESSFUL}, why"}
        assert values[f"{ALL}, why"].value == pytest.approx(auroc(before.numpy(), after.numpy()))
        assert values[f"{ALL}, why"].n == 160
        chosen = auroc(before[fooled].numpy(), after[fooled].numpy())
        assert values[f"{SUCCESSFUL}, why"].value == pytest.approx(chosen)
        assert values[f"{SUCCESSFUL}, why"].n == 2 * int(fooled.sum())
        assert torch.equal(result.arrays[f"{name}/bim"], after)
        assert len(result.arrays[f"{name}/test"]) == len(test)


def test_where_no_attack_succeeds_there_is_no_number(subject: Make) -> None:
    made = subject("softmax")
    nothing = attack_images(made, FGSM(epsilon=0.0), target="second", limit=20)
    assert not (nothing.success & (nothing.features.prediction == nothing.features.y)).any()
    records = adversarial_detection(made, {"nothing": nothing}, fit_detectors(made, ["msp"]), repeats=3).records
    by_protocol = {r.protocol: r.value for r in select(records, metric="auroc")}
    assert by_protocol == {ALL: pytest.approx(0.5), SUCCESSFUL: None}


def test_what_is_right_or_refused_is_safe(subject: Make) -> None:
    made = subject("softmax")
    detector = fit_detectors(made, ["k-density"])["k-density"]
    conformal = Conformal(detector.score(made.features(made.run.holdout_images())), 0.05)
    attacked = attack_images(made, FGSM(epsilon=0.2), limit=100)
    records = {(r.anomaly, r.metric): r for r in safety(made, {"fgsm": attacked}, detector, conformal).records}
    f = attacked.features
    refused = ~conformal.accepts(detector.score(f))
    wrong = f.prediction != f.y
    assert records["fgsm", "right-or-refused"].value == pytest.approx(float((refused | ~wrong).float().mean()))
    assert records["fgsm", "refused"].value == pytest.approx(float(refused.float().mean()))
    assert bool((wrong & ~refused).any()), "an attack that the refusal misses"
    test = made.features(made.run.test_images())
    assert records[None, "right-or-refused"].n == len(test)
    error = float((test.prediction != test.y).float().mean())
    assert records[None, "right-or-refused"].value >= 1 - error
    assert records[None, "refused"].protocol == "false-alarm=0.05"


def test_hidden_layers_of_attacked_images_are_theirs_and_kept_with_them(subject: Make) -> None:
    made = subject("softmax")
    layers = made.run.classifier.hidden_names()
    request = FeatureRequest(layers)
    noise = attack_images(made, Noise(l2=0.01), limit=7, request=request)
    assert tuple(noise.features.hidden) == layers
    again = attack_images(made, Noise(l2=0.01), limit=7, request=request)
    plain = made.features(made.run.test_images(), request)
    for name in layers:
        assert torch.equal(noise.features.hidden[name], again.features.hidden[name])
        assert not torch.equal(noise.features.hidden[name], plain.hidden[name][:7])
        torch.testing.assert_close(noise.features.hidden[name], plain.hidden[name][:7], rtol=0.5, atol=0.5)
    assert attack_images(made, Noise(l2=0.01), limit=7).features.hidden == {}


def test_held_out_images_are_attacked_when_something_is_to_be_fitted(subject: Make) -> None:
    made = subject("softmax")
    seen = attack_images(made, FGSM(epsilon=0.0), limit=9, holdout=True)
    holdout = made.features(made.run.holdout_images())
    assert holdout.y is not None
    torch.testing.assert_close(seen.features.z, holdout.z[:9])
    assert torch.equal(seen.features.y, holdout.y[:9])
    tested = attack_images(made, FGSM(epsilon=0.0), limit=9)
    assert not torch.equal(tested.features.z, seen.features.z)


def test_an_adapted_attack_is_no_weaker_than_one_that_knows_nothing(subject: Make) -> None:
    made = subject("softmax")
    detector = fit_detectors(made, ["mahalanobis"])["mahalanobis"]
    attack = PGD(epsilon=0.15, steps=8)
    plain = attack_images(made, dataclasses.replace(attack, score_weight=0.0), detector=detector, limit=60)
    best = adapted(made, attack, detector, weights=(0.0, 1.0, 30.0), limit=60)
    assert bool((best.success >= plain.success).all())
    both = plain.success & best.success
    before, after = detector.score(plain.features), detector.score(best.features)
    assert bool((after[both] <= before[both] + 1e-4).all())
    assert bool((after[both] < before[both] - 1.0).any()), "and for some it hides better"
    assert len(best.features) == 60
    assert bool((best.linf <= 0.15 + 1e-6).all())


def test_each_image_gets_its_own_best_result(subject: Make) -> None:
    made = subject("softmax")
    options = [attack_images(made, FGSM(epsilon=epsilon), limit=6) for epsilon in (0.05, 0.1)]
    which = torch.tensor([0, 1, 0, 1, 1, 0])
    chosen = pick(options, which)
    for place, option in enumerate(which.tolist()):
        assert torch.equal(chosen.features.z[place], options[option].features.z[place])
        assert chosen.l2[place] == options[option].l2[place]
        row = torch.tensor([place])
        assert torch.equal(chosen.shown.thumbnails(row), options[option].shown.thumbnails(row))


def test_detectors_that_cannot_be_attacked_so(subject: Make) -> None:
    made = subject("softmax")
    detector = fit_detectors(made, ["msp"])["msp"]
    with pytest.raises(ValueError, match="weights must be at least one"):
        adapted(made, PGD(), detector, weights=(), limit=5)
    detector.differentiable = False
    with pytest.raises(ValueError, match="'msp' has no gradient to follow"):
        adapted(made, PGD(), detector, limit=5)


def test_scores_that_do_not_differ_give_no_scale(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject("softmax")
    detector = fit_detectors(made, ["msp"])["msp"]
    monkeypatch.setattr(type(detector), "_score", lambda self, features, y: torch.zeros(len(features)))
    with pytest.raises(ValueError, match="scores of 'msp' of held-out images do not differ"):
        adapted(made, PGD(), detector, limit=5)
