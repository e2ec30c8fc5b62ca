from collections.abc import Callable

import pytest
import torch
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

from drumlin.features import FeatureSet
from drumlin.tasks import Subject
from drumlin.tasks.clusters import clusters

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]


def pretend(monkeypatch: pytest.MonkeyPatch, z: torch.Tensor, y: torch.Tensor) -> None:
    made = FeatureSet(z, torch.zeros(len(y), 8), y)
    monkeypatch.setattr(Subject, "features", lambda self, images: made)


def test_three_far_classes_of_eight(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many clusters as classes occur, not as the head has."""
    y = torch.arange(30) % 3 + 4
    pretend(monkeypatch, 100 * torch.eye(8)[y] + torch.arange(30.0)[:, None] / 100, y)
    result = clusters(subject("gm"))
    assert [(r.metric, r.protocol) for r in result.records] == [
        (metric, f"{method}, {mean} mean")
        for method in ("k-means", "ward")
        for metric, mean in (("nmi", "arithmetic"), ("nmi", "geometric"), ("ami", "arithmetic"))
    ]
    assert [r.value for r in result.records] == pytest.approx([1] * 6)
    assert {(r.task, r.split, r.unit, r.n) for r in result.records} == {("clusters", "test", "ratio", 30)}
    for method in ("k-means", "ward"):
        assert len(set(zip(result.arrays[method].tolist(), y.tolist(), strict=True))) == 3
    assert result.arrays["index"].tolist() == list(range(30))


def test_a_limit_takes_a_stratified_part(subject: Make) -> None:
    made = subject("softmax")
    y = made.run.test_images().labels
    result = clusters(made, limit=80)
    index = result.arrays["index"]
    assert {r.n for r in result.records} == {80}
    assert sorted(set(index.tolist())) == index.tolist()
    shares = torch.bincount(y[index]) - torch.bincount(y) * 80 / len(y)
    assert bool((shares.abs() <= 1).all())
    assert torch.equal(clusters(made, limit=80).arrays["index"], index)
    assert not torch.equal(clusters(made, limit=80, seed=1).arrays["index"], index)


def test_values_are_those_of_the_arrays(subject: Make) -> None:
    made = subject("softmax")
    result = clusters(made)
    y = made.run.test_images().labels
    found = {(r.metric, r.protocol): r.value for r in result.records}
    for method in ("k-means", "ward"):
        c = result.arrays[method]
        for mean in ("arithmetic", "geometric"):
            expected = normalized_mutual_info_score(y, c, average_method=mean)
            assert found["nmi", f"{method}, {mean} mean"] == pytest.approx(expected)
        assert found["ami", f"{method}, arithmetic mean"] == pytest.approx(adjusted_mutual_info_score(y, c))
        assert expected > 0.5  # it has learnt the digits


def test_what_cannot_be_clustered(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = subject("gm")
    for limit in (1, 0):
        with pytest.raises(ValueError, match=f"limit must be at least 2 images, got {limit}"):
            clusters(made, limit=limit)
    pretend(monkeypatch, torch.eye(8), torch.full((8,), 3))
    with pytest.raises(ValueError, match="the 8 test images are of one class"):
        clusters(made)
