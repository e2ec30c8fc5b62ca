"""The pairs that a model of faces is tested on, by what it was trained on, so that it knows nobody in them; and the tables.

With CASIA-WebFace: LFW's View 2, ten folds. With LFW's people of View 1: its pairsDevTest.txt at the threshold of pairsDevTrain.txt.
These are people who were trained on, whose images lie nearer to each other than strangers' do: the threshold comes out too
strict, which AUROC and equal error rate are free of. With the people of View 2 but folds 1 and 2: the pairs of fold 1, at the
threshold of fold 2. LFW takes it from the other nine folds, but all of their people would have been trained on.
"""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from drumlin.data import AnyImages, load
from drumlin.data.lfw import read_lfw_pairs
from drumlin.data.pairs import Pairs, read_pairs
from drumlin.model import Classifier
from drumlin.recipes.tables import by_row
from drumlin.recipes.variants import Measured, Published
from drumlin.report.measured.choices import pairs_and_score
from drumlin.results import Record, in_percent, select, table
from drumlin.settings.run import RunSettings
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.curves import nearness, pair_errors
from drumlin.tasks.verification import TASK, verification
from drumlin.training import Probe

PCA = 64
"""T §4.2; L does not say how many components it takes."""
_SMALL_PCA = 8


@dataclasses.dataclass(frozen=True)
class Trial:
    """Pairs, those that the threshold comes from (None: the other folds), and principal components."""

    pairs: Pairs
    threshold: Pairs | None = None
    pca: int = PCA


def _view_2(root: str | None, folder: Path) -> Trial:
    return Trial(read_lfw_pairs("pairs.txt", root))


def _view_1(root: str | None, folder: Path) -> Trial:
    test, threshold = (read_lfw_pairs(f"pairsDev{part}.txt", root) for part in ("Test", "Train"))
    return Trial(test, threshold)


def _fold_1(root: str | None, folder: Path) -> Trial:
    test, threshold = (read_lfw_pairs("pairs.txt", root, fold=fold) for fold in (1, 2))
    return Trial(test, threshold)


def _digits(root: str | None, folder: Path) -> Trial:
    return Trial(digit_pairs(folder / "pairs"), pca=_SMALL_PCA)


TRIALS: dict[str, Callable[[str | None, Path], Trial]] = {
    "casia-webface": _view_2,
    "lfw:dev": _view_1,
    "lfw:without-folds-1-2": _fold_1,
    "digits:0-7": _digits,
}
"""What was trained on → (data root, a run's folder) → what is tested on."""


def digit_pairs(folder: Path) -> Pairs:
    """Write test images of the digits 8 and 9 into a folder, and return each with its two successors as pairs, in two folds.

    >>> import tempfile
    >>> pairs = digit_pairs(Path(tempfile.mkdtemp()))
    >>> len(pairs), pairs.folds, len(pairs.tree)
    (80, 2, 42)
    """
    from PIL import Image

    images = load("digits:8,9", "test")
    same = images.labels.tolist()
    folder.mkdir(parents=True, exist_ok=True)
    for i, x in enumerate(images.float(slice(42))):
        Image.fromarray((255 * x[0]).round().byte().numpy()).save(folder / f"{i}.png")
    lines = [f"{i}.png {j}.png {int(same[i] == same[j])} {i % 2}" for i in range(40) for j in (i + 1, i + 2)]
    file = folder / "pairs.txt"
    file.write_text("\n".join(lines))
    return read_pairs(file, folder)


def lists(settings: RunSettings) -> None:
    """Read the pairs that a model of these settings is tested on, and throw them away.

    Raises:
        ValueError: a list or an image that is not there.
    """
    with tempfile.TemporaryDirectory() as folder:
        TRIALS[settings.data.name](settings.data.root, Path(folder))


def verified(subject: Subject, *, plain: bool) -> Iterator[TaskResult]:
    """Yield how well pairs are told by principal components, and if `plain` by the features as they are; and what was trained on."""
    run = subject.run
    trial = TRIALS[run.settings.data.name](run.root, run.folder)
    for pca in (trial.pca, None) if plain else (trial.pca,):
        yield verification(subject, trial.pairs, threshold_pairs=trial.threshold, pca=pca)
    trained = run.train_images()
    facts = {"split": "train", "n": len(trained)}
    yield TaskResult(
        [
            subject.record("data", "images", len(trained), unit="images", **facts),
            subject.record("data", "people", len(trained.class_names), unit="classes", **facts),
        ]
    )


def followed(settings: RunSettings, folder: Path) -> Probe:
    """Return what I's Figs. 5 to 7 are drawn of: `nearness`, and the errors on the pairs of what the settings train on."""

    @functools.cache
    def trial() -> Trial:
        return TRIALS[settings.data.name](settings.data.root, folder)

    def probe(classifier: Classifier, training: AnyImages, holdout: AnyImages) -> dict[str, float]:
        tested, root = trial(), settings.data.root
        told = pair_errors(classifier, tested.pairs, tested.threshold, root=root)
        return nearness(classifier, training, holdout) | told

    return probe


def published(accuracy: float, how: str, source: str) -> dict[Measured, Published]:
    """Return an accuracy in percent on View 2 as what stands beside the record of it.

    >>> published(98.56, "cosine, PCA 64", "L Table 5")  # doctest: +ELLIPSIS
    {Measured(...protocol='lfw/pairs.txt, cosine, PCA 64, mirrored, 10 folds'): Published(value=0.9856, source='L Table 5')}
    """
    protocol = f"lfw/pairs.txt, {how}, mirrored, 10 folds"
    return {Measured(TASK, "accuracy", protocol=protocol): Published(round(accuracy / 100, 6), source)}


def show(records: Sequence[Record]) -> str:
    """Return what each row was trained on, and its accuracy, equal error rate and AUROC by score; published values in parentheses."""
    sizes = [by_row(r) for r in select(records, task="data")]
    parts = ["Trained on", table(sizes, rows=["head"], columns=["anomaly"], digits=0)]
    for metric, title in (
        ("accuracy", "Accuracy, pairs, %"),
        ("equal-error-rate", "Equal error rate, pairs, %"),
        ("auroc", "AUROC, pairs, %"),
    ):
        found = [by_score(in_percent(r)) for r in select(records, task=TASK, metric=metric)]
        parts += [title, table(found, rows=["head", "detector"], columns=["anomaly"], published=True)]
    return "\n\n".join(parts)


def by_score(record: Record) -> Record:
    """Return a record with its row as `head`, its pairs as `detector`, and score and components as `anomaly`."""
    row = by_row(record)
    pairs, score = pairs_and_score(row.anomaly or "")
    return dataclasses.replace(row, detector=pairs, anomaly=score)
