import warnings
from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch.nn import functional as F

from drumlin.features import FeatureSet
from drumlin.metrics.intervals import wilson
from drumlin.tasks import Subject
from drumlin.tasks.neighbours import neighbours

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]


def pretend(monkeypatch: pytest.MonkeyPatch, train: FeatureSet, test: FeatureSet) -> None:
    """The training images are told from the test images by their split."""
    made = {"train": train, "test": test}
    monkeypatch.setattr(Subject, "features", lambda self, images: made[images.split])


def test_values_by_hand(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    # each class lies on one ray: normalised, it is one point
    rays = torch.tensor([[1.0, 0.0], [9.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    train = FeatureSet(rays, torch.zeros(4, 2), torch.tensor([0, 0, 1, 1]))
    # the angles say 0, 1, 1; the nearest point 0, 1, 0; the three nearest (0, 1, 1), (1, 0, 1), (0, 1, 1): 1 every time
    z = torch.tensor([[1.0, 0.9], [0.5, 0.6], [8.0, 9.0]])
    pretend(monkeypatch, train, FeatureSet(z, torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)))
    result = neighbours(subject("gm"), (1, 2, 3))  # of two the nearer decides
    assert {record.protocol: record.value for record in result.records} == {
        "k=1, features as they are": 2 / 3,
        "k=2, features as they are": 2 / 3,
        "k=3, features as they are": 0,
        "k=1, features L2-normalised": 1 / 3,
        "k=2, features L2-normalised": 1 / 3,
        "k=3, features L2-normalised": 1 / 3,
    }
    assert {(r.task, r.metric, r.split, r.unit, r.n) for r in result.records} == {
        ("neighbours", "accuracy", "test", "fraction", 3)
    }
    assert (result.records[0].ci_low, result.records[0].ci_high) == wilson(2, 3)


def test_a_trained_run_as_scikit_learn_classifies_it(subject: Make) -> None:
    made = subject("softmax")
    train, test = made.features(made.run.train_images()), made.features(made.run.test_images())
    assert train.y is not None
    values = {record.protocol: record.value for record in neighbours(made).records}
    assert len(values) == 6
    for name, prepared in (("as they are", lambda z: z), ("L2-normalised", F.normalize)):
        for k in (1, 5, 10):
            theirs = KNeighborsClassifier(k).fit(prepared(train.z.double()), train.y)
            share = theirs.score(prepared(test.z.double()), test.y)
            # ties may be decided otherwise, of one neighbour there are none
            assert values[f"k={k}, features {name}"] == pytest.approx(share, abs=1e-9 if k == 1 else 0.01)


def test_neighbours_that_are_not_there(subject: Make) -> None:
    made = subject("softmax")
    n = len(made.run.train_images())
    assert neighbours(made, [n]).records[0].value is not None
    with pytest.raises(ValueError, match=f"ks must be at most the {n} images that were trained on, got {n + 1}"):
        neighbours(made, (1, n + 1))
    with pytest.raises(ValueError, match=r"got 10000"):
        neighbours(made, (10_000,))
    for ks in ((), (5, 0)):
        with pytest.raises(ValueError, match="ks must be numbers of neighbours, each at least 1, got"):
            neighbours(made, ks)


@pytest.mark.parametrize(
    ("images", "measured", "warning"),
    [
        (10, [1, 5, 10], None),
        (9, [1, 5], "^10 neighbours are not measured: 9 images were trained on$"),
        (5, [1, 5], "^10 neighbours are not measured: 5 "),
        (2, [1], "^5 and 10 neighbours are not measured: 2 images"),
    ],
)
def test_of_the_usual_numbers_those_that_are_possible(
    subject: Make, monkeypatch: pytest.MonkeyPatch, images: int, measured: list[int], warning: str | None
) -> None:
    made = subject("softmax")
    few = made.run.train_images().subset(range(images))
    monkeypatch.setattr(type(made.run), "train_images", lambda self: few)
    with nullcontext() if warning is None else pytest.warns(UserWarning, match=warning), warnings.catch_warnings():
        if warning is None:
            warnings.simplefilter("error")
        records = neighbours(made).records
    assert [r.protocol for r in records if r.protocol.endswith("as they are")] == [
        f"k={k}, features as they are" for k in measured
    ]
