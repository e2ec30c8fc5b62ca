from collections.abc import Callable

import pytest
import torch

from drumlin.attacks import FGSM, PGD, Attack, CarliniWagnerDetector, median_scores
from drumlin.detectors import KDensity
from drumlin.features import FeatureSet
from drumlin.tasks import Subject
from drumlin.tasks.detection import fit_detectors
from drumlin.tasks.robustness import attack_images, robustness
from drumlin.tasks.shown import Kind

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]


def _training(subject: Subject) -> FeatureSet:
    return subject.features(subject.run.train_images())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count images that are attacked."""
    counted: list[int] = []
    original = Attack.__call__

    def spy(self, classifier, x, y, **others):  # type: ignore[no-untyped-def]
        counted.append(len(x))
        return original(self, classifier, x, y, **others)

    monkeypatch.setattr(Attack, "__call__", spy)
    return counted


def test_attacked_features_are_kept_and_told_apart(subject: Make, calls: list[int]) -> None:
    made = subject("softmax")
    first = attack_images(made, FGSM(epsilon=0.1), limit=20)
    again = attack_images(made, FGSM(epsilon=0.1), limit=20)
    assert calls == [20]  # the second came from the cache
    assert torch.equal(first.features.z, again.features.z)
    assert torch.equal(first.success, again.success)
    for attack, others in (
        (FGSM(epsilon=0.2), {"limit": 20}),
        (FGSM(epsilon=0.1), {"limit": 21}),
        (FGSM(epsilon=0.1), {"limit": 20, "seed": 1}),
        (FGSM(epsilon=0.1), {"limit": 20, "target": "second"}),
        (FGSM(epsilon=0.1), {"limit": 20, "detector": KDensity(bandwidth=1.0).fit(_training(made))}),
        (FGSM(epsilon=0.1), {"limit": 20, "detector": KDensity(bandwidth=2.0).fit(_training(made))}),
    ):
        attack_images(made, attack, **others)  # type: ignore[arg-type]
    assert calls == [20, 20, 21, 20, 20, 20, 20]
    attack_images(made, FGSM(epsilon=0.1), limit=20, detector=KDensity(bandwidth=1.0).fit(_training(made)))
    assert len(calls) == 7  # an equal detector is the same


def test_attacked_thumbnails_are_kept_row_by_row(subject: Make, calls: list[int]) -> None:
    made = subject("softmax")
    attack = FGSM(epsilon=0.3, batch_size=7)
    for _ in range(2):  # made, and from the cache
        attacked = attack_images(made, attack, limit=20)
        assert attacked.shown.kind is Kind.ATTACKED
        pixels = attacked.shown.thumbnails(torch.arange(20))
        change = pixels.float() / 255 - made.run.test_images().float(slice(0, 20))
        # rounded to whole bytes, of the image of the same row: where it was not clipped it has moved by the budget
        assert float(change.abs().max()) <= 0.3 + 0.5 / 255 + 1e-6
        assert (change.abs().flatten(1).amax(1) > 0.3 - 1 / 255).all()
        assert torch.allclose(change.square().flatten(1).mean(1).sqrt(), attacked.l2, atol=1 / 255)
    assert calls == [7, 7, 6]


def test_a_damaged_cache_counts_as_none(subject: Make, calls: list[int]) -> None:
    made = subject("softmax")
    first = attack_images(made, FGSM(), limit=10)
    (cache,) = made.run.features.glob("attacked-*")
    data = bytearray(cache.read_bytes())
    data[-1] ^= 1
    cache.write_bytes(bytes(data))
    again = attack_images(made, FGSM(), limit=10)
    assert calls == [10, 10]
    assert torch.equal(first.features.z, again.features.z)


def test_records_are_of_what_the_attack_did(subject: Make) -> None:
    made = subject("softmax")
    attacked = attack_images(made, FGSM(epsilon=0.2))
    records = {
        r.metric: r for r in robustness(made, attack_images(made, FGSM(epsilon=0.2)), "fgsm(epsilon=0.2)").records
    }
    y = attacked.features.y
    assert y is not None
    n = len(made.run.test_images())
    assert records["error"].value == pytest.approx(int((attacked.features.prediction != y).sum()) / n)
    assert records["success"].value == records["error"].value  # an untargeted attack succeeds by an error
    assert records["error"].value > 0.2  # and this one does
    assert records["distortion"].value == pytest.approx(float(attacked.l2[attacked.success].mean()))
    assert 0 < records["distortion"].value <= 0.2
    assert records["distortion"].n == int(attacked.success.sum())
    assert float(attacked.linf.max()) <= 0.2 + 1e-6
    assert {(r.anomaly, r.protocol) for r in records.values()} == {("fgsm(epsilon=0.2)", None)}


def test_without_a_success_there_is_no_distortion(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject("softmax")
    images = made.run.test_images()
    correct = (made.features(images).prediction == images.labels).nonzero()[:5, 0]
    monkeypatch.setattr(type(made.run), "test_images", lambda self: images.subset(correct))
    records = {r.metric: r for r in robustness(made, attack_images(made, FGSM(epsilon=0.0)), "nothing").records}
    assert (records["success"].value, records["distortion"].value, records["distortion"].n) == (0, None, 0)


def test_a_limit_takes_images_of_all_classes_also_from_a_sorted_set(
    subject: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = subject("softmax")
    images = made.run.test_images()
    ordered = images.subset(images.labels.argsort(stable=True))
    monkeypatch.setattr(type(made.run), "test_images", lambda self: ordered)
    part = attack_images(made, FGSM(), limit=16)
    assert set(part.features.y.tolist()) == set(range(8))
    assert robustness(made, part, "fgsm", limit=16).records[0].protocol == "16-test-samples-of-all-classes"


def test_a_limit_is_part_of_the_protocol(subject: Make) -> None:
    made = subject("softmax")
    whole = robustness(made, attack_images(made, FGSM()), "fgsm")
    part = robustness(made, attack_images(made, FGSM(), limit=7), "fgsm", limit=7)
    assert {r.key for r in whole.records}.isdisjoint(r.key for r in part.records)
    assert part.records[0].protocol == "first-7-test-samples"
    assert part.records[0].n == 7
    more = robustness(made, attack_images(made, FGSM(), limit=10**6), "fgsm", limit=10**6)  # more than there are: all
    assert more.records[0].value == whole.records[0].value


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_1(subject: Make, limit: int) -> None:
    with pytest.raises(ValueError, match=rf"limit must be at least 1, got {limit}"):
        attack_images(subject("softmax"), FGSM(), limit=limit)


def test_an_unknown_target(subject: Make) -> None:
    with pytest.raises(ValueError, match=r"unknown target 'secnd': did you mean 'second'"):
        attack_images(subject("softmax"), FGSM(), target="secnd")


def test_batches_that_are_done_are_not_done_again(
    subject: Make, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, attack = subject("softmax"), PGD(steps=2, restarts=2, batch_size=8)
    heard: list[tuple[int, int]] = []
    whole = attack_images(made, attack, limit=30, target="random", reporter=lambda *now: heard.append(now))
    assert heard == [(0, 30), (8, 30), (16, 30), (24, 30), (30, 30)]
    (cache,) = made.run.features.glob("attacked-*")  # one file of all: those of the batches are gone
    content = cache.read_bytes()
    cache.unlink()

    patched = Attack.__call__

    def interrupted(self, *arguments, **others):  # type: ignore[no-untyped-def]
        if len(calls) == 6:
            raise KeyboardInterrupt
        return patched(self, *arguments, **others)

    monkeypatch.setattr(Attack, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        attack_images(made, attack, limit=30, target="random")
    assert calls == [8, 8, 8, 6, 8, 8]
    _, second = sorted(made.run.features.glob("attacked-*"))  # usable, and all that there is
    second.write_bytes(second.read_bytes()[:-1])  # but this one is not whole
    monkeypatch.setattr(Attack, "__call__", patched)
    heard.clear()
    torch.manual_seed(123)  # the global generator has no say
    again = attack_images(made, attack, limit=30, target="random", reporter=lambda *now: heard.append(now))
    assert calls == [8, 8, 8, 6, 8, 8, 8, 8, 6]
    assert heard == [(8, 30), (16, 30), (24, 30), (30, 30)]
    assert torch.equal(again.features.z, whole.features.z)
    assert cache.read_bytes() == content
    assert list(made.run.features.glob("attacked-*")) == [cache]


def test_each_batch_has_randomness_of_its_own(subject: Make) -> None:
    made = subject("softmax")
    images = made.run.test_images()
    twice = images.subset(torch.zeros(8, dtype=torch.int64))  # one image eight times, in two batches
    assert made.run.test_images() is images
    type(made.run).test_images, original = lambda self: twice, type(made.run).test_images  # type: ignore[method-assign]
    try:
        z = attack_images(made, PGD(steps=1, step=1e-6, batch_size=4)).features.z
    finally:
        type(made.run).test_images = original  # type: ignore[method-assign]
    assert len({tuple(row.tolist()) for row in z}) == 8


def test_iterations_are_recorded(subject: Make) -> None:
    made = subject("softmax")
    (record,) = (
        r
        for r in robustness(made, attack_images(made, PGD(steps=3, restarts=2), limit=5), "pgd", limit=5).records
        if r.metric == "iterations"
    )
    assert (record.value, record.n, record.unit) == (6.0, 5, "gradients an image")


def test_a_detector_is_attacked_with_thresholds_from_held_out_images(subject: Make) -> None:
    made = subject("softmax")
    (detector,) = fit_detectors(made, ["k-density"]).values()
    attack = CarliniWagnerDetector(steps=60, lr=0.1)
    attacked = attack_images(made, attack, limit=12, target="random", detector=detector)
    thresholds = torch.tensor(median_scores(detector.score, made.features(made.run.holdout_images())))
    prediction = attacked.features.prediction
    passed = detector.score(attacked.features) <= thresholds[prediction]
    assert attacked.success.any()
    assert passed[attacked.success].all()
    assert (prediction != attacked.features.y)[attacked.success].all()
    with pytest.raises(ValueError, match="score is None, but attack 'cw-detector'"):
        attack_images(made, attack, limit=12)
