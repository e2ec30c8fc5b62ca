import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from sklearn.metrics import roc_auc_score

from drumlin.data import ImageFiles, load, opening
from drumlin.data.pairs import Pairs, read_pairs
from drumlin.tasks import Subject
from drumlin.tasks.verification import verification

pytestmark = pytest.mark.slow
Make = Callable[[str], Subject]
Listed = Callable[..., Pairs]


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    """Pairs of the test digits 8 and 9, which no run has seen: n of them, in so many folds (None: no folds)."""
    images = load("digits:8,9", "test")
    folder = tmp_path / "digits"
    folder.mkdir()
    for i, pixels in enumerate(images.pixels[:40]):
        Image.fromarray(pixels[0].numpy()).save(folder / f"{i}.png")

    def make(n: int = 60, folds: int | None = 5, seed: int = 0, name: str = "pairs.txt") -> Pairs:
        drawn = torch.randint(0, 40, (n, 2), generator=torch.Generator().manual_seed(seed)).tolist()
        lines = [
            f"{a}.png {b}.png {int(images.labels[a] == images.labels[b])}"
            + ("" if folds is None else f" {row % folds}")
            for row, (a, b) in enumerate(drawn)
        ]
        (folder / name).write_text("\n".join(lines))
        return read_pairs(folder / name, folder)

    return make


def features(subject: Subject, pairs: Pairs, *, flip: bool) -> np.ndarray:
    """Image by image, without drumlin's own extraction."""
    classifier, rows = subject.run.classifier, []
    for path in pairs.tree.paths:
        x = torch.from_numpy(np.array(Image.open(path))).float()[None, None] / 255
        with torch.no_grad():
            z = classifier.features(x)[0]
            rows.append((z + classifier.features(x.flip(3))[0]) / 2 if flip else z)
    return torch.stack(rows).double().numpy()


def distances_by_loop(subject: Subject, pairs: Pairs, score: str, *, pca: int | None, flip: bool) -> np.ndarray:
    train = subject.features(subject.run.train_images())
    assert train.y is not None
    t, y = train.z.double().numpy(), train.y.numpy()
    z = features(subject, pairs, flip=flip)
    if pca is not None:
        mean = t.mean(0)
        variances, axes = np.linalg.eigh(np.cov(t.T))
        axes = axes[:, np.argsort(-variances)[:pca]]
        t, z = (t - mean) @ axes, (z - mean) @ axes
    within = sum((t[y == k] - t[y == k].mean(0)).T @ (t[y == k] - t[y == k].mean(0)) for k in np.unique(y)) / len(t)
    inverse = np.linalg.inv(within)
    by = {
        "l2": lambda a, b: math.dist(a, b),
        "cosine": lambda a, b: math.sqrt(2 - 2 * float(a @ b) / math.sqrt(float(a @ a) * float(b @ b)) + 1e-15),
        "mahalanobis": lambda a, b: math.sqrt((a - b) @ inverse @ (a - b)),
    }[score]
    return np.array([by(z[i], z[j]) for i, j in pairs.index.tolist()])


@pytest.mark.parametrize(("head", "pca", "flip"), [("softmax", None, False), ("softmax", 4, True), ("gm", 6, True)])
def test_scores_by_a_slow_loop(subject: Make, listed: Listed, head: str, pca: int | None, flip: bool) -> None:
    made, pairs = subject(head), listed()
    result = verification(made, pairs, pca=pca, flip=flip)
    records = {(r.metric, r.protocol): r for r in result.records}
    how = f"{'no PCA' if pca is None else f'PCA {pca}'}{', mirrored' if flip else ''}"
    same, fold = pairs.same.numpy(), pairs.fold.numpy()
    for score in ("l2", "cosine", "mahalanobis"):
        expected = distances_by_loop(made, pairs, score, pca=pca, flip=flip)
        protocol = f"digits/pairs.txt, {score}, {how}"
        own = result.arrays[f"{protocol}/distance"].numpy()
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-3)
        assert records["auroc", protocol].value == pytest.approx(roc_auc_score(same, -own))
        shares = []
        for one in range(5):
            d, s = own[fold != one], same[fold != one]
            best = max(sorted([-math.inf, *d]), key=lambda t: ((d <= t) == s).sum())
            above = min(d[d > best], default=math.inf)
            t = best if math.isinf(best) else (best + above) / 2
            shares.append(((own[fold == one] <= t) == same[fold == one]).mean())
        accuracy = records["accuracy", f"{protocol}, 5 folds"]
        error = np.std(shares, ddof=1) / math.sqrt(5)
        assert accuracy.value == pytest.approx(np.mean(shares))
        half = stats.t.ppf(0.975, 4) * error
        assert accuracy.ci_low == pytest.approx(max(0, np.mean(shares) - half))
        assert accuracy.ci_high == pytest.approx(min(1, np.mean(shares) + half))
        assert records["accuracy-standard-error", f"{protocol}, 5 folds"].value == pytest.approx(error)
        assert (accuracy.n, accuracy.unit, accuracy.task) == (60, "fraction", "verification")
        assert result.arrays[f"{protocol}/tpr"][-1] == 1
    assert torch.equal(result.arrays["digits/pairs.txt/same"], pairs.same)
    assert torch.equal(result.arrays["digits/pairs.txt/fold"], pairs.fold)
    assert len(records) == 3 * 6


def test_view_1_takes_its_threshold_from_other_pairs(subject: Make, listed: Listed) -> None:
    made, test, other = subject("softmax"), listed(50), listed(70, None, seed=1, name="dev.txt")
    result = verification(made, test, threshold_pairs=other, scores=["l2"], pca=None)
    (record,) = [r for r in result.records if r.metric == "accuracy"]
    assert record.protocol == "digits/pairs.txt, l2, no PCA, mirrored, threshold from digits/dev.txt"
    assert "accuracy-standard-error" not in {r.metric for r in result.records}
    own, theirs = (distances_by_loop(made, p, "l2", pca=None, flip=True) for p in (test, other))
    right = [((theirs <= t) == other.same.numpy()).sum() for t in np.sort(theirs)]
    best = int(np.argmax(right))
    threshold = np.sort(theirs)[best : best + 2].mean()
    expected = ((own <= threshold) == test.same.numpy()).mean()
    assert record.value == pytest.approx(expected)
    assert record.ci_low is not None
    assert record.ci_low < record.value


def test_pairs_without_folds_have_no_accuracy(subject: Make, listed: Listed) -> None:
    result = verification(subject("softmax"), listed(folds=None), scores=["cosine"], pca=None)
    assert [r.metric for r in result.records] == ["auroc", "equal-error-rate", "tpr@fpr=0.01", "tpr@fpr=0.001"]


def test_folds_that_agree_have_no_interval(subject: Make, tmp_path: Path) -> None:
    """Three folds all at 100% are no certainty. A pair of the same is one image twice."""
    pixels = load("digits:8,9", "test").pixels[:2, 0].numpy()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    (tmp_path / "pairs").write_text("\n".join(f"0.png 0.png 1 {fold}\n0.png 1.png 0 {fold}" for fold in range(3)))
    records = verification(
        subject("softmax"), read_pairs(tmp_path / "pairs", tmp_path), scores=["l2"], pca=None
    ).records
    found = {record.metric: record for record in records}
    assert (found["accuracy"].value, found["accuracy-standard-error"].value) == (1, 0)
    assert (found["accuracy"].ci_low, found["accuracy"].ci_high) == (None, None)
    assert found["auroc"].value == 1
    assert found["tpr@fpr=0.01"].value is None  # of three different pairs


@pytest.mark.parametrize(
    ("people", "warning"),
    [
        (("8", "9"), None),
        (("1", "9"), "^1 of the 2 people in "),
        (("0", "7"), "^2 of the 2 people in .*/pairs.txt are classes "),
    ],
)
def test_people_who_were_trained_on(
    subject: Make, tmp_path: Path, people: tuple[str, str], warning: str | None
) -> None:
    """In LFW's format the folders are people; the digits 0 to 7 were trained on."""
    images = load("digits", "test")
    for digit in people:
        (tmp_path / digit).mkdir()
        for i, pixels in enumerate(images.pixels[images.labels == int(digit)][:2, 0].numpy(), start=1):
            Image.fromarray(pixels).save(tmp_path / digit / f"{digit}_{i:04d}.png")
    a, b = people
    (tmp_path / "pairs.txt").write_text(f"1\n{a}\t1\t2\n{a}\t1\t{b}\t2\n")
    (tmp_path / "paths.txt").write_text(f"{a}/{a}_0001.png {a}/{a}_0002.png 1\n{a}/{a}_0001.png {b}/{b}_0002.png 0\n")
    made, pairs, nameless = (
        subject("softmax"),
        *(read_pairs(tmp_path / f"{n}.txt", tmp_path) for n in ("pairs", "paths")),
    )
    assert nameless.people == frozenset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verification(made, nameless, threshold_pairs=pairs, scores=["l2"], pca=None)
        if warning is None:
            verification(made, pairs, scores=["l2"], pca=None)
    if warning is not None:
        with pytest.warns(UserWarning, match=warning):
            verification(made, pairs, scores=["l2"], pca=None)


def test_an_image_and_its_mirror_image_are_one_to_it(subject: Make, tmp_path: Path) -> None:
    pixels = load("digits:8,9", "test").pixels[:2, 0].numpy()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
        Image.fromarray(np.ascontiguousarray(image[:, ::-1])).save(tmp_path / f"{i}m.png")
    (tmp_path / "pairs").write_text("0.png 0m.png 1\n1.png 1m.png 1\n0.png 1.png 0\n")
    pairs = read_pairs(tmp_path / "pairs", tmp_path)
    made = subject("softmax")
    mirrored, plain = (verification(made, pairs, scores=["l2"], pca=None, flip=flip).arrays for flip in (True, False))
    (there,), (here,) = ([v for k, v in arrays.items() if k.endswith("distance")] for arrays in (mirrored, plain))
    assert bool((there[:2] < 1e-5).all())
    assert there[2] > 0.1
    assert bool((here[:2] > 1e-3).all())


def test_components_come_from_the_training_images_alone(
    subject: Make, listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the features of a pair are depends on no other pair."""
    made, pairs = subject("softmax"), listed()
    whole = verification(made, pairs, pca=4).arrays
    few = Pairs(
        tree=pairs.tree, index=pairs.index[:30], same=pairs.same[:30], fold=pairs.fold[:30], name="digits/pairs.txt"
    )
    for key, values in verification(made, few, pca=4).arrays.items():
        if key.endswith("distance"):
            torch.testing.assert_close(values, whole[key][:30])
    monkeypatch.setattr(type(made.run), "test_images", lambda self: pytest.fail("looks at test images"))
    verification(made, pairs, pca=4)


def test_image_files_too_large_for_memory(
    subject: Make, listed: Listed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made, pairs = subject("softmax"), listed()
    expected = verification(made, pairs, pca=4).records
    monkeypatch.setattr(opening, "MAX_DECODED_BYTES", 0)
    assert isinstance(pairs.images(channels=1, size=8), ImageFiles)
    assert [r.value for r in verification(made, pairs, pca=4).records] == [r.value for r in expected]


def test_records_and_arrays_can_be_stored(subject: Make, listed: Listed) -> None:
    made = subject("softmax")
    verification(made, listed(), pca=4).store(made.run.folder, "verification")
    verification(made, listed(), pca=None).store(made.run.folder, "verification")
    assert (made.run.folder / "arrays" / "verification.safetensors").is_file()


def test_what_a_user_can_get_wrong(subject: Make, listed: Listed) -> None:
    made, pairs = subject("softmax"), listed()
    n = len(made.run.train_images())
    for pca in (17, 0):
        with pytest.raises(
            ValueError, match=rf"pca must be in 1\.\.16 for {n} training features of 16 dimensions, or None, got {pca}"
        ):
            verification(made, pairs, pca=pca)
    with pytest.raises(ValueError, match=r"unknown score 'cosin': did you mean 'cosine'\?"):
        verification(made, pairs, scores=["cosin"])
    with pytest.raises(ValueError, match="scores must be at least one of l2, cosine, mahalanobis"):
        verification(made, pairs, scores=[])
    os.truncate(pairs.tree.paths[3], 40)
    with pytest.raises(ValueError, match=rf"{pairs.tree.names[3]} cannot be decoded"):
        verification(made, pairs, pca=4)


def test_more_components_than_training_images(subject: Make, listed: Listed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten points span nine directions."""
    made, pairs = subject("softmax"), listed()
    ten = made.run.train_images().subset(range(10))
    monkeypatch.setattr(type(made.run), "train_images", lambda self: ten)
    verification(made, pairs, scores=["l2"], pca=9)
    with pytest.raises(ValueError, match=r"pca must be in 1\.\.9 for 10 training features of 16 dimensions"):
        verification(made, pairs, pca=10)


def test_pairs_of_one_kind(subject: Make, listed: Listed) -> None:
    pairs = listed()
    same = Pairs(
        tree=pairs.tree,
        index=pairs.index[pairs.same],
        same=pairs.same[pairs.same],
        fold=pairs.fold[pairs.same],
        name="same",
    )
    with pytest.raises(ValueError, match="pairs must be of both kinds"):
        verification(subject("softmax"), same, pca=None)
