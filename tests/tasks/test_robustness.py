from collections.abc import Callable

import pytest
import torch

from drumlin.attacks import FGSM, Attack
from drumlin.tasks import Subject
from drumlin.tasks.robustness import attack_test_images, robustness
from drumlin.tasks.shown import Kind

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]


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
    first = attack_test_images(made, FGSM(epsilon=0.1), limit=20)
    again = attack_test_images(made, FGSM(epsilon=0.1), limit=20)
    assert calls == [20]  # the second came from the cache
    assert torch.equal(first.features.z, again.features.z)
    assert torch.equal(first.success, again.success)
    for attack, others in (
        (FGSM(epsilon=0.2), {"limit": 20}),
        (FGSM(epsilon=0.1), {"limit": 21}),
        (FGSM(epsilon=0.1), {"limit": 20, "seed": 1}),
        (FGSM(epsilon=0.1), {"limit": 20, "target": "second"}),
    ):
        attack_test_images(made, attack, **others)  # type: ignore[arg-type]
    assert calls == [20, 20, 21, 20, 20]


def test_attacked_thumbnails_are_kept_row_by_row(subject: Make, calls: list[int]) -> None:
    made = subject("softmax")
    attack = FGSM(epsilon=0.3, batch_size=7)
    for _ in range(2):  # made, and from the cache
        attacked = attack_test_images(made, attack, limit=20)
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
    first = attack_test_images(made, FGSM(), limit=10)
    (cache,) = made.run.features.glob("attacked-*")
    data = bytearray(cache.read_bytes())
    data[-1] ^= 1
    cache.write_bytes(bytes(data))
    again = attack_test_images(made, FGSM(), limit=10)
    assert calls == [10, 10]
    assert torch.equal(first.features.z, again.features.z)


def test_records_are_of_what_the_attack_did(subject: Make) -> None:
    made = subject("softmax")
    attacked = attack_test_images(made, FGSM(epsilon=0.2))
    records = {r.metric: r for r in robustness(made, FGSM(epsilon=0.2), "fgsm(epsilon=0.2)").records}
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
    records = {r.metric: r for r in robustness(made, FGSM(epsilon=0.0), "nothing").records}
    assert (records["success"].value, records["distortion"].value, records["distortion"].n) == (0, None, 0)


def test_a_limit_is_part_of_the_protocol(subject: Make) -> None:
    made = subject("softmax")
    whole, part = robustness(made, FGSM(), "fgsm"), robustness(made, FGSM(), "fgsm", limit=7)
    assert {r.key for r in whole.records}.isdisjoint(r.key for r in part.records)
    assert part.records[0].protocol == "first-7-test-samples"
    assert part.records[0].n == 7
    more = robustness(made, FGSM(), "fgsm", limit=10**6)  # more than there are: all
    assert more.records[0].value == whole.records[0].value


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_1(subject: Make, limit: int) -> None:
    with pytest.raises(ValueError, match=rf"limit must be at least 1, got {limit}"):
        attack_test_images(subject("softmax"), FGSM(), limit=limit)


def test_an_unknown_target(subject: Make) -> None:
    with pytest.raises(ValueError, match=r"unknown target 'secnd': did you mean 'second'"):
        attack_test_images(subject("softmax"), FGSM(), target="secnd")
