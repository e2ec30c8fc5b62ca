"""What commands on a finished run share: flags, and telling the user what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from drumlin.cli._tables import record_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drumlin.detectors import Detector
    from drumlin.refusal import Predictor
    from drumlin.tasks import Subject, TaskResult
    from drumlin.tasks.robustness import Attacked
    from drumlin.tasks.shown import ShownSet


@dataclass(kw_only=True)
class RunFlags:
    """A run, and where its data lies and its model computes."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder that `drumlin train --out` wrote."""
    data_root: str | None = None
    """Folder of the data sets; by default DRUMLIN_DATA, else the user's cache folder."""
    download: bool = False
    """Download a data set that is not there."""
    device: str = "auto"
    """Where the model computes: auto, cpu, cuda, cuda:1, mps, ..."""

    def subject(self) -> Subject:
        """Return the run as a subject of measurements, of which the records can be read that new ones are put to.

        Raises:
            ValueError: also where they cannot: after all measuring would be too late.
        """
        from drumlin.tasks import Subject, stored_records
        from drumlin.training import Run

        subject = Subject(Run(self.run, root=self.data_root, download=self.download, device=self.device))
        stored_records(subject.run)
        return subject


def report(subject: Subject, result: TaskResult, name: str) -> None:
    """Store a result in the run's folder and print its records."""
    result.store(subject.run.folder, name)
    print(record_lines(result.records))


def calibrated(subject: Subject) -> Predictor | None:
    """Return the run's predictor if it is calibrated."""
    from drumlin.refusal import load

    predictor = load(subject.run.folder, device=subject.run.device)
    return None if predictor.conformal is None else predictor


def scored_by(predictor: Predictor | None) -> list[Detector]:
    """Return the detectors that a calibrated run refuses by: one, or none."""
    return [] if predictor is None or predictor.detector is None else [predictor.detector]


def warn_if_weak(subject: Subject) -> None:
    """Print what is to be said beside AUROCs of a model that errs on more than half of its test images."""
    from drumlin.metrics.caution import weak_model

    test = subject.features(subject.run.test_images())
    assert test.y is not None
    caution = weak_model(float((test.prediction != test.y).double().mean()))
    if caution is not None:
        print(caution)


def report_refusals(subject: Subject, sets: Mapping[str, ShownSet], predictor: Predictor) -> None:
    """Store, with the scores, what a calibrated run refuses of the test images and of `sets`, and print it."""
    from drumlin.tasks.detection import refusal
    from drumlin.tasks.shown import features_of

    assert predictor.detector is not None
    assert predictor.conformal is not None
    result = refusal(subject, features_of(sets), predictor.detector, predictor.conformal)
    report(subject, result, "detection")  # its arrays are scores, as detection's are


def report_safety(subject: Subject, attacked: Attacked, name: str, predictor: Predictor) -> None:
    """Store and print how many attacked images do no harm: a calibrated run gets them right, or refuses them."""
    from drumlin.tasks.adversarial import safety

    assert predictor.detector is not None
    assert predictor.conformal is not None
    report(subject, safety(subject, {name: attacked}, predictor.detector, predictor.conformal), "safety")


def update_map(subject: Subject, sets: Mapping[str, ShownSet]) -> None:
    """Put `sets` and the test images, whose extremes new scores may have changed, on the run's map; scores are stored before."""
    from drumlin.tasks.feature_map import TEST, feature_map, known_sets

    feature_map(subject, {**known_sets(subject, TEST), **sets}).store(subject.run.folder, "map")
