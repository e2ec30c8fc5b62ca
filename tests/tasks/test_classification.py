from collections.abc import Callable

import pytest
import torch

from drumlin.data import load
from drumlin.features import FeatureSet
from drumlin.results import Record
from drumlin.tasks import Subject
from drumlin.tasks.classification import classification

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]


def values(records: list[Record]) -> dict[str, Record]:
    return {record.metric: record for record in records}


def pretend(monkeypatch: pytest.MonkeyPatch, logits: torch.Tensor, y: torch.Tensor) -> None:
    made = FeatureSet(torch.zeros(len(y), 2), logits, y)
    monkeypatch.setattr(Subject, "features", lambda self, images: made)


def test_values_by_hand(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    # four samples, three classes: 0→0, 0→1, 1→1, 2→0
    y, predicted = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 1, 0])
    logits = torch.full((4, 3), 0.0)
    logits[torch.arange(4), predicted] = torch.tensor(4.0).log()  # probabilities 4/6, 1/6, 1/6
    pretend(monkeypatch, logits, y)
    result = classification(subject("gm"))
    records = values(result.records)
    assert result.arrays["confusion"].tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert records["error"].value == 0.5
    assert "top5-error" not in records  # of three classes it would say nothing
    assert records["ece"].value == pytest.approx(4 / 6 - 0.5)
    expected = -(2 * torch.tensor(4 / 6).log() + 2 * torch.tensor(1 / 6).log()) / 4
    assert records["nll"].value == pytest.approx(float(expected))
    error = records["error"]
    assert error.ci_low is not None
    assert error.ci_high is not None
    assert error.ci_low < 0.5 < error.ci_high
    assert (error.n, error.split, error.unit) == (4, "test", "fraction")


def test_top_five_by_hand(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.arange(6.0).flip(0).repeat(6, 1)  # class 0 first, class 5 last, for each of the six samples
    pretend(monkeypatch, logits, torch.arange(6))
    records = values(classification(subject("gm")).records)
    assert records["error"].value == pytest.approx(5 / 6)
    assert records["top5-error"].value == pytest.approx(1 / 6)


def test_a_probability_of_0_has_a_finite_log_loss(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, torch.tensor([[0.0, -2000.0]]), torch.tensor([1]))  # exp(-2000) is 0 in float64
    assert values(classification(subject("gm")).records)["nll"].value == pytest.approx(2000)


def test_ten_windows_one_image_at_a_time(subject: Make) -> None:
    softmax = subject("softmax")
    run = softmax.run
    assert run.settings.data.image_size is None
    classifier = run.classifier.eval()
    images = load(run.settings.data.name, "test", image_size=11)
    expected = []
    with torch.no_grad():
        for x, _ in images.batches(1):
            corners = [(0, 0), (0, 3), (3, 0), (3, 3), (1, 1)]
            views = [x[:, :, top : top + 8, left : left + 8] for top, left in corners]
            expected.append(sum(classifier(view).softmax(1) for v in views for view in (v, v.flip(3))) / 10)
    mean = torch.cat(expected)
    result = classification(softmax, crops=10, margin=3)
    records = values(result.records)
    assert records["error"].value == pytest.approx(float((mean.argmax(1) != images.labels).float().mean()))
    nll = torch.nn.functional.nll_loss(mean.double().log(), images.labels)
    assert records["nll"].value == pytest.approx(float(nll), rel=1e-4)
    assert {record.protocol for record in result.records} == {"10-crop of 11x11"}
    assert records["top5-error"].n == len(images)
    assert result.arrays == {}


def test_one_window_of_larger_images(subject: Make) -> None:
    softmax = subject("softmax")
    whole, centre = classification(softmax), classification(softmax, margin=2)
    assert {record.protocol for record in centre.records} == {"1-crop of 10x10"}
    assert {record.protocol for record in whole.records} == {None}
    assert values(centre.records)["nll"].value != values(whole.records)["nll"].value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crops": 10}, "ten windows of 8x8 need images larger than that.*give a margin above 0"),
        ({"crops": 5, "margin": 2}, "crops is 5; it is 1"),
        ({"margin": -1}, "margin is -1; it is a number of pixels, at least 0"),
    ],
)
def test_impossible_windows(subject: Make, change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classification(subject("softmax"), **change)


def test_a_trained_run(subject: Make) -> None:
    softmax = subject("softmax")
    result = classification(softmax)
    records = values(result.records)
    confusion = result.arrays["confusion"]
    images = softmax.run.test_images()
    assert torch.equal(confusion.sum(1), torch.bincount(images.labels))
    assert records["error"].value == pytest.approx(1 - float(confusion.diag().sum()) / len(images))
    assert records["error"].value < 0.1  # it has learnt the digits
    assert records["top5-error"].value <= records["error"].value
