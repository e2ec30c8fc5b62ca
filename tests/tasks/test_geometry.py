import math
from collections.abc import Callable

import pytest
import torch

from drumlin.features import FeatureSet
from drumlin.functional import gm_optimal_distance
from drumlin.heads import GaussianMixtureHead, SoftmaxHead
from drumlin.tasks import Subject, TaskResult
from drumlin.tasks.geometry import class_means, geometry, optimal_distance

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]


def simplex(k: int, dimensions: int, distance: float) -> torch.Tensor:
    return torch.eye(k, dimensions) * distance / math.sqrt(2)


def test_a_head_placed_at_its_optimum(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    gm = subject("gm")
    head = gm.run.classifier.head
    optimum = gm_optimal_distance(8, 0.1)
    with torch.no_grad():
        head.means.copy_(simplex(8, 16, optimum))
    # test features two either side of their means, at 0.5: spread inside a class 0.5
    y = torch.arange(8).repeat(2)
    z = head.means.detach()[y].clone()
    z[:8, 15] += 0.5
    z[8:, 15] -= 0.5
    made = FeatureSet(z, torch.zeros(16, 8), y)
    monkeypatch.setattr(Subject, "features", lambda self, images: made)
    result = geometry(gm)
    records = {record.metric: record for record in result.records}
    assert records["mean-distance"].value == pytest.approx(optimum, rel=1e-5)
    assert records["mean-distance"].published == pytest.approx(optimum)
    assert records["mean-distance"].n == 28
    assert records["mean-distance-cv"].value == pytest.approx(0, abs=1e-4)
    assert records["mean-distance-min"].value == pytest.approx(optimum, rel=1e-5)
    assert records["intra-class-spread"].value == pytest.approx(0.5)
    assert records["inter-class-distance"].value == pytest.approx(optimum, rel=1e-5)
    assert records["intra-inter-ratio"].value == pytest.approx(0.5 / optimum, rel=1e-5)
    distances = result.arrays["distances"]
    assert torch.allclose(distances, optimum * (1 - torch.eye(8)), atol=1e-3)
    assert torch.equal(result.arrays["means"], head.means)


def test_collapsed_classes_have_no_ratio_and_no_crash(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    gm = subject("gm")
    y = torch.arange(8).repeat(2)
    z = torch.zeros(16, 16)
    z[:8, 0], z[8:, 0] = 1, -1
    monkeypatch.setattr(Subject, "features", lambda self, images: FeatureSet(z, torch.zeros(16, 8), y))
    records = {record.metric: record for record in geometry(gm).records}
    assert records["inter-class-distance"].value == 0
    assert records["intra-inter-ratio"].value is None


def test_a_head_without_means_has_those_of_the_training_features(subject: Make) -> None:
    softmax = subject("softmax")
    features = softmax.features(softmax.run.train_images())
    means = geometry(softmax).arrays["means"]
    for k in range(8):
        assert torch.allclose(means[k], features.z[features.y == k].mean(0), atol=1e-4)


def test_center_loss_by_hand(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """About the means of the training features, also where the head has its own."""
    y = torch.arange(8).repeat(2)
    train, test = torch.zeros(16, 16), torch.zeros(16, 16)
    train[:8, 0], train[8:, 0] = 1, 5  # means at 3
    test[:, 0] = 7
    made = {"train": train, "test": test}
    monkeypatch.setattr(Subject, "features", lambda self, i: FeatureSet(made[i.split], torch.zeros(16, 8), y))
    for head in ("gm", "softmax"):
        records = {record.metric: record for record in geometry(subject(head)).records}
        assert records["center-loss"].value == 8  # ½·4²
        assert records["training-center-loss"].value == 2
        assert (records["center-loss"].split, records["training-center-loss"].split) == ("test", "train")


def test_shape_and_normality_of_classes(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(8).repeat(150)
    z = torch.randn(1200, 16, generator=generator)
    z[:, 0] *= 3  # variances 9 and fifteen times 1: 9/24, 24²/96, 9
    z[y == 2] = z[y == 2].exp()
    monkeypatch.setattr(Subject, "features", lambda self, images: FeatureSet(z, torch.zeros(1200, 8), y))
    result = geometry(subject("softmax"))
    records = {record.metric: record for record in result.records}
    assert records["first-eigenvalue"].value == pytest.approx(9 / 24, rel=0.1)
    assert records["effective-dimensions"].value == pytest.approx(6, rel=0.15)
    assert 9 < records["eigenvalue-ratio"].value < 25  # the sample's smallest is below 1
    assert records["classes-not-normal"].value == pytest.approx(1 / 8, abs=1 / 8)
    assert records["classes-not-normal"].value > 0  # the log-normal class
    assert records["classes-not-normal"].n == 8
    assert records["classes-not-normal"].protocol == "Henze-Zirkler at 5%, 10 widest directions of a class"
    assert records["kurtosis-ratio"].value == pytest.approx(1, abs=0.1)
    assert result.arrays["eigenvalues"].shape == (8, 16)
    assert result.arrays["eigenvalues"][0] == pytest.approx(
        torch.linalg.eigvalsh(z[y == 0].double().T.cov(correction=0)).flip(0)
    )


def test_classes_too_small_to_test(subject: Make) -> None:
    """45 digits a class: five a direction are needed."""
    records = {record.metric: record for record in geometry(subject("softmax")).records}
    for metric in ("classes-not-normal", "kurtosis-ratio"):
        assert (records[metric].value, records[metric].n) == (None, 0)
    for metric in SHAPE:
        assert records[metric].value is not None
        assert records[metric].n == 8


SHAPE = ("first-eigenvalue", "effective-dimensions", "eigenvalue-ratio")
NORMALITY = ("classes-not-normal", "kurtosis-ratio")


def of_sizes(subject: Make, monkeypatch: pytest.MonkeyPatch, sizes: list[int]) -> TaskResult:
    """Geometry of Gaussian classes of so many test features in 16 dimensions."""
    y = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    z = torch.randn(len(y), 16, generator=torch.Generator().manual_seed(0))
    test = FeatureSet(z, torch.zeros(len(y), 8), y)
    train = FeatureSet(torch.randn(8, 16), torch.zeros(8, 8), torch.arange(8))
    monkeypatch.setattr(Subject, "features", lambda self, i: {"train": train, "test": test}[i.split])
    return geometry(subject("softmax"))


@pytest.mark.parametrize(
    ("sizes", "shaped", "tested"),
    [
        ([50, 50, 50, 50, 19, 19, 2, 1], 4, 4),  # half of them are enough
        ([50, 50, 50, 20, 19, 19, 2, 1], 4, 3),  # twenty have a shape; the test in ten directions needs fifty
        ([50, 50, 50, 19, 19, 19, 2, 1], 3, 3),
        ([90, 2, 2, 2, 2, 2, 2, 2], 1, 1),  # as in LFW: the first share of two images is all of it
        ([90, 2], 1, 1),  # half of two is one alone
        ([2] * 8, 0, 0),
    ],
)
def test_what_few_of_the_classes_say_is_no_value(
    subject: Make, monkeypatch: pytest.MonkeyPatch, sizes: list[int], shaped: int, tested: int
) -> None:
    result = of_sizes(subject, monkeypatch, sizes)
    records = {record.metric: record for record in result.records}
    for metrics, classes in ((SHAPE, shaped), (NORMALITY, tested)):
        for metric in metrics:
            assert records[metric].n == classes
            assert (records[metric].value is None) == (classes < max(2, len(sizes) / 2))
    assert result.arrays["eigenvalues"].shape == (shaped, 16)
    assert records["intra-class-spread"].n == sum(sizes)
    assert records["intra-class-spread"].value is not None


def test_test_images_of_one_class(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(UserWarning, match="the test images are of one class: distances between classes"):
        records = {record.metric: record for record in of_sizes(subject, monkeypatch, [90]).records}
    for metric in ("inter-class-distance", "intra-inter-ratio", *SHAPE, *NORMALITY):
        assert records[metric].value is None
    for metric in ("intra-class-spread", "center-loss", "mean-distance"):
        assert records[metric].value is not None


def test_class_means_by_hand() -> None:
    features = FeatureSet(torch.tensor([[1.0], [3.0], [7.0]]), torch.zeros(3, 2), torch.tensor([0, 0, 1]))
    assert class_means(SoftmaxHead(1, 2), features).tolist() == [[2.0], [7.0]]


def test_only_losses_with_an_optimum_have_one() -> None:
    assert optimal_distance(GaussianMixtureHead.gm(9, 10)) == pytest.approx(2.725, abs=1e-3)
    assert optimal_distance(GaussianMixtureHead.lgm(9, 10)) is None
    assert optimal_distance(GaussianMixtureHead.gm(8, 10)) is None  # too few dimensions
    assert optimal_distance(SoftmaxHead(9, 10)) is None
