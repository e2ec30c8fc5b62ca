"""Faces: L Table 5 with T's GM beside, S's table of LFW, I Tables 3, 5 and 6; on two cores, LFW's own people at 64 pixels.

L takes PCA and the Mahalanobis distance for L-GM, and does not say what for the others: their values stand beside the cosine, which
the authors of L-Softmax and of the center loss take. The numbers of T's table are lost. The slides S say nothing of network and
training: their rows are on L's, softmax with one more seed. I compares features as they are, by which distance it does not say: L2.

LFW has some five images a person, CASIA-WebFace 47: accuracies far below the published ones are to be expected.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from drumlin.data import AnyImages, data_root, datasets
from drumlin.recipes.experiment import Experiment, Ledger
from drumlin.recipes.faces import verification
from drumlin.recipes.faces.trainings import CASIA, CASIA_ISOMAX, DIGITS, LFW_FOLD_1, LFW_VIEW_1, FaceTraining
from drumlin.recipes.faces.verification import followed, lists, published, verified
from drumlin.recipes.feature_space import show as show_features
from drumlin.recipes.isomax import protocol
from drumlin.recipes.isomax.figures import TITLE, figures_5_and_6, first_seeds, preface
from drumlin.recipes.isomax.protocol import Row
from drumlin.recipes.pages import write_figures_page
from drumlin.recipes.progress_figures import Curve, progress_panels
from drumlin.recipes.scales import FEATURE_SCALE, setting
from drumlin.recipes.variants import Variant
from drumlin.report.figures.panels import PanelFigure
from drumlin.results import Record
from drumlin.results.record import Scale
from drumlin.settings.heads import HeadSettings, head_settings
from drumlin.settings.run import RunSettings
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.clusters import clusters
from drumlin.tasks.neighbours import neighbours
from drumlin.training import Probe
from drumlin.training.runs import Run, load_for

ABOUT = "Faces: LFW's pairs told by eight losses (L, T and S Table 5, I Tables 3, 5, 6, Figs. 5-7); on two cores of LFW's other people"

_COSINE, _MAHALANOBIS, _PLAIN = "cosine, PCA 64", "mahalanobis, PCA 64", "l2, no PCA"

_L: dict[str, tuple[HeadSettings, float, str]] = {
    "softmax": (head_settings("softmax"), 98.56, _COSINE),
    "l-softmax m=4": (head_settings("l-softmax", margin=4), 98.92, _COSINE),
    "center": (head_settings("center"), 99.05, _COSINE),
    "lgm alpha=0.001": (head_settings("lgm", margin=0.001), 99.03, _MAHALANOBIS),
    "lgm alpha=0.005": (head_settings("lgm", margin=0.005), 99.08, _MAHALANOBIS),
    "lgm alpha=0.01": (head_settings("lgm", margin=0.01), 99.20, _MAHALANOBIS),
}
"""Row → loss, accuracy in percent, and the score that it stands beside. L does not say which m L-Softmax had."""

_S: dict[str, tuple[HeadSettings, float]] = {
    "softmax": (head_settings("softmax"), 96.53),
    "contrastive + softmax": (head_settings("contrastive"), 97.31),
    "l-softmax m=2": (head_settings("l-softmax", margin=2), 97.81),
    "l-softmax m=3": (head_settings("l-softmax", margin=3), 98.27),
    "l-softmax m=4": (head_settings("l-softmax", margin=4), 98.71),
}

_I: dict[str, Row] = {
    "softmax": Row(85.87, (48.17, 33.94, 28.60), None, (0.9404, 0.9685)),
    "center": Row(85.76, (48.55, 34.24, 28.73), None, (0.9421, 0.9691)),
    "isotropic": Row(85.88, (50.92, 38.23, 34.12), None, (0.9461, 0.9721)),
}
_I_TABLE_6 = {"softmax": 97.50, "center": 97.63, "triplet": 96.88, "isotropic": 98.03}

_THREE, _ANOTHER = (0, 1, 2), (3,)

HEADS: dict[str, HeadSettings] = protocol.HEADS | {
    "gm": head_settings("gm", margin=0.01, likelihood_weight=0.001),
    "gm lambda=0.1": head_settings("gm", margin=0.01, likelihood_weight=0.1),
}
"""The losses on two cores. T's weight of the likelihood for faces, and that for everything else."""

_SCALED, _SCALED_ROWS = " with features times 1/9", ("softmax", "gm")
"""Rows that are trained with smaller features, too: they begin at a norm of 22 where GM's means have 2.9, and on CIFAR-10 the loss
that this hinders is GM."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment."""
    rows = tuple(setting(_ROWS, scale)())
    drawn = {(s.data, s.backbone) for row in _drawn(rows, scale) for s in row.candidates.values()}

    def probe(settings: RunSettings, folder: Path) -> Probe | None:
        own = dataclasses.replace(settings.data, root=None, download=False), settings.backbone
        return followed(settings, folder) if own in drawn else None

    return Experiment("faces", scale, rows, measure, draw, show, probe, needs=_needs)


def _drawn(rows: Iterable[Variant], scale: Scale) -> list[Variant]:
    """Return the rows that I's figures are drawn of."""
    return [row for row in rows if row.name.endswith(f", {_DRAWN[scale]}")]


def measure(subject: Subject) -> Iterator[TaskResult]:
    """Yield error and neighbours of other images of the people trained on, pairs of strangers, and clusters of FRGC if it is there."""
    yield classification(subject)
    yield neighbours(subject)
    yield from verified(subject, plain=True)
    yield from _clusters(subject)


def show(records: Sequence[Record]) -> str:
    """Return what was trained on, how well pairs are told, neighbours and clusters; published values are in parentheses."""
    return f"{verification.show(records)}\n\n{show_features(records)}"


def draw(ledger: Ledger, out: Path, figures: Path) -> list[Path]:
    """Draw I's Figs. 5 to 7 of I's training, or of what stands for it, into the folder `figures`, with a page; return the files.

    Raises:
        ValueError: a run that is not there, or not measured; a folder that cannot be written.
    """
    group = _DRAWN[ledger.experiment.scale]
    folders = first_seeds(ledger, out, f", {group}")
    told = PanelFigure(
        "faces-figure-7",
        progress_panels(folders, _FIGURE_7),
        2,
        "Pairs of people who were not trained on, by the Euclidean distance of features as they are, over the steps, as in I Fig. 7, "
        f"which has accuracy ({group}). Left the share that is told wrong{_THRESHOLDS[ledger.experiment.scale]}; right the equal "
        "error rate, which needs no threshold.",
    )
    return write_figures_page(TITLE, preface(folders), [*figures_5_and_6("faces", folders), told], ledger, figures)


def _paper() -> Iterator[Variant]:
    for name, (head, accuracy, score) in _L.items():
        yield Variant(f"{name}, L", CASIA.candidates(head), _THREE, also=published(accuracy, score, "L Table 5"))
    gm = head_settings("gm", margin=0.001, likelihood_weight=0.001)
    yield Variant("gm alpha=0.001, T", CASIA.candidates(gm), _THREE)
    for name, (head, accuracy) in _S.items():
        yield Variant(f"{name}, S", CASIA.candidates(head), _ANOTHER, also=published(accuracy, _COSINE, "S Table 5"))
    for name, head in (protocol.HEADS | {"triplet": head_settings("triplet", softmax_weight=0.0)}).items():
        error, also = protocol.published(_I, name)
        both = also | published(_I_TABLE_6[name], _PLAIN, "I Table 6")
        yield Variant(f"{name}, I", CASIA_ISOMAX.candidates(head), (0,), error, both)


def _cpu() -> Iterator[Variant]:
    yield from _own(LFW_VIEW_1, "View 1", HEADS)
    yield from _own(LFW_VIEW_1.scaled(FEATURE_SCALE), f"View 1{_SCALED}", _SCALED_ROWS)
    yield from _own(LFW_FOLD_1, "View 2 fold 1", [name for name in HEADS if name != "gm lambda=0.1"])


def _smoke() -> Iterator[Variant]:
    yield from _own(DIGITS, "digits", HEADS)


def _own(training: FaceTraining, view: str, names: Iterable[str]) -> Iterator[Variant]:
    for name in names:
        yield Variant(f"{name}, {view}", training.candidates(HEADS[name]), (0,))


_ROWS: dict[Scale, Callable[[], Iterable[Variant]]] = {"cpu": _cpu, "paper": _paper, "smoke": _smoke}

_DRAWN: dict[Scale, str] = {"cpu": "View 1", "paper": "I", "smoke": "digits"}
"""Scale → whose rows I's figures are drawn of."""

_FIGURE_7 = (Curve("told wrong", "pair_error"), Curve("equal error rate", "pair_equal_error_rate"))
_THRESHOLDS: dict[Scale, str] = {
    "cpu": " at the threshold for pairs of people who were trained on, which comes out the stricter the better these are known",
    "paper": " at the threshold of the other nine folds",
    "smoke": " at the threshold of the other fold",
}

_CLUSTERED = {"casia-webface": "frgc"}
"""Data → set whose people are clustered (I Table 5)."""
_FRGC_IMAGES = 12_776


@dataclasses.dataclass(frozen=True)
class _Elsewhere(Run):
    """A run whose test images are another set's."""

    other: str = ""

    def test_images(self) -> AnyImages:
        return load_for(dataclasses.replace(self.settings.data, name=self.other), "test", self.classifier.inputs)


def _needs(settings: RunSettings) -> None:
    """Ask for the pairs, and warn where the set that is clustered is not there: a row that is recorded without it counts as done."""
    lists(settings)
    other = _CLUSTERED.get(settings.data.name)
    if other is not None and not _is_there(other, settings.data.root):
        warnings.warn(
            f"{other} is not under {data_root(settings.data.root)}: its people are not clustered (I Table 5), "
            "and what is measured without them is not measured again into the same file of records"
        )


def _is_there(name: str, root: str | None) -> bool:
    return name in {info.name for info in datasets(root) if info.present}


def _clusters(subject: Subject) -> Iterator[TaskResult]:
    """Yield clusters of faces of people who were not trained on, if their set is under the data root."""
    run, other = subject.run, _CLUSTERED.get(subject.run.settings.data.name)
    if other is None or not _is_there(other, run.root):
        return
    elsewhere = subject.like(_Elsewhere(run.folder, run.root, run.download, other=other))
    records = clusters(elsewhere, _FRGC_IMAGES).records
    yield TaskResult([dataclasses.replace(record, data=other) for record in records])
