"""drumlin evaluate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from drumlin.cli._parsing import parse
from drumlin.cli._runs import RunFlags
from drumlin.cli._tables import percent, record_lines, table
from drumlin.results import Record

if TYPE_CHECKING:
    from drumlin.data.pairs import Pairs
    from drumlin.tasks import Subject, TaskResult

_PCA = 64


@dataclass(kw_only=True)
class Evaluate(RunFlags):
    """Measure error, calibration and geometry of a run on its test images, and map its features."""

    neighbours: bool = False
    """Also classify the test images by their 1, 5 and 10 nearest training features."""
    ks: tuple[int, ...] = ()
    """Other numbers of neighbours for that, e.g. 3 20."""
    clusters: bool = False
    """Also cluster the features of at most 10,000 test images by k-means and by Ward's method; minutes where classes are many."""
    crops: Literal[1, 10] = 1
    """Also classify by the mean posterior of so many windows of each test image: its centre, or corners, centre and mirror images."""
    margin: int = 0
    """For that, images are brought to so many pixels more than the network takes; 32 is usual for 224 pixels."""
    pairs: Path | None = None
    """Also tell pairs of images of the same from pairs of different ones: LFW's pairs.txt, or lines of PATH PATH SAME [FOLD].
    Of people who were trained on the numbers are not those of strangers: a warning counts those that LFW's format names."""
    pair_images: Path | None = None
    """Folder of the images in --pairs."""
    threshold_pairs: Path | None = None
    """Pairs to choose the threshold on, as pairsDevTrain.txt for pairsDevTest.txt; without, each fold's comes from the others."""
    pca: int | None = _PCA
    """Principal components of the training features to compare --pairs by; None for the features as they are."""
    mirror: bool = True
    """Take the mean of the features of each image in --pairs and of its mirror image."""


def run(words: Sequence[str]) -> int:
    """Measure, store and print."""
    flags = parse(Evaluate, words, name="evaluate")
    if (flags.pairs is None) != (flags.pair_images is None):
        raise ValueError("--pairs FILE and --pair-images FOLDER belong together: give both or neither")
    if flags.pairs is None and (flags.threshold_pairs, flags.pca, flags.mirror) != (None, _PCA, True):
        raise ValueError(
            "--threshold-pairs, --pca and --no-mirror say how to compare pairs: name these with --pairs, or leave them out"
        )
    if flags.ks and not flags.neighbours:
        raise ValueError(
            "--ks says how many neighbours to classify by: ask for that with --neighbours, or leave it out"
        )
    pairs, threshold_pairs = (_read(file, flags.pair_images) for file in (flags.pairs, flags.threshold_pairs))
    subject = flags.subject()
    between = ""
    for name, result in _results(flags, subject, pairs, threshold_pairs):
        result.store(subject.run.folder, name)  # as it comes: what goes wrong later takes nothing from it
        if result.records:
            print(between + _lines(result.records), flush=True)
            between = "\n"
    return 0


def _results(
    flags: Evaluate, subject: Subject, pairs: Pairs | None, threshold_pairs: Pairs | None
) -> Iterator[tuple[str, TaskResult]]:
    """Yield what was asked for beside the usual first: what is wrong with windows, pairs or numbers is told at once."""
    from drumlin.tasks.classification import classification
    from drumlin.tasks.evaluation import OPTIONAL, evaluation
    from drumlin.tasks.neighbours import neighbours
    from drumlin.tasks.verification import verification

    if (flags.crops, flags.margin) != (1, 0):
        yield "windows", classification(subject, crops=flags.crops, margin=flags.margin)
    if pairs is not None:
        yield (
            "verification",
            verification(subject, pairs, threshold_pairs=threshold_pairs, pca=flags.pca, flip=flags.mirror),
        )
    also = [name for name in OPTIONAL if getattr(flags, name)]
    if flags.ks:
        also.remove("neighbours")
        yield "neighbours", neighbours(subject, flags.ks)
    yield from evaluation(subject, also)


def _read(file: Path | None, images: Path | None) -> Pairs | None:
    from drumlin.data.pairs import read_pairs

    return None if file is None or images is None else read_pairs(file, images)


def _four_digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _lines(records: Sequence[Record]) -> str:
    """Return the records as a table, by their protocols where these are all that tells one from another."""
    if not all(record.protocol for record in records):
        return record_lines(records)
    rows = []
    for record in records:
        show = percent if record.unit == "fraction" else _four_digits
        interval = "" if record.ci_low is None else f"{show(record.ci_low)} to {show(record.ci_high)}"
        rows.append([record.task, record.metric, record.protocol, show(record.value), interval, str(record.n or "")])
    headers = ["task", "metric", "of", "value", "95% interval", "n"]
    used = [i for i in range(len(headers)) if any(row[i] for row in rows)]
    return table([headers[i] for i in used], [[row[i] for i in used] for row in rows])
