"""What a page knows of a run: the contents of its folder, as arrays and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from drumlin.metrics.conformal import p_values
from drumlin.results import Record, select

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

TEST = "test"


class Kind(IntEnum):
    """What a set is to the model; the numbers are those in the arrays of the map."""

    TRAINING = 0
    TEST = 1
    UNKNOWN = 2
    ATTACKED = 3


@dataclass(frozen=True, eq=False)
class Calibration:
    """The calibrated refusal: p-values from held-out scores of one detector, refused if p ≤ the false-alarm rate asked for.

    >>> calibration = Calibration("energy", 0.25, np.array([1.0, 2.0, 3.0]))
    >>> calibration.threshold, calibration.refuses(np.array([3.0, 4.0])).tolist()
    (3.0, [False, True])
    """

    detector: str
    false_alarm: float
    scores: Array

    @property
    def threshold(self) -> float:
        """The largest score that is accepted."""
        return float(self.scores[~self.refuses(self.scores)].max())

    def p_values(self, scores: Array) -> Array:
        """Return the p-value of each score."""
        return p_values(self.scores, scores)

    def refuses(self, scores: Array) -> Flags:
        """Return whether each score is refused."""
        return self.p_values(scores) <= self.false_alarm


@dataclass(frozen=True, eq=False)
class Points:
    """One set of images on the map, an image a row.

    Attributes:
        name: of the set.
        kind: what it is to the model.
        index: row of each in its set.
        drawn: False for those kept for the gallery alone.
        label: true class, −1 where it is none of the model's.
        prediction: predicted class.
        probability: of the predicted class.
        thumbnails: (n, h, w, C).
        views: name of a view → (n, 2) coordinates.
    """

    name: str
    kind: Kind
    index: Integers
    drawn: Flags
    label: Integers
    prediction: Integers
    probability: Array
    thumbnails: Pixels
    views: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class View:
    """A way to see feature space in two dimensions: class means (K, 2) and covariances (K, 2, 2) as they appear in it."""

    means: Array
    covariance: Array


@dataclass(frozen=True, eq=False)
class Density:
    """log p(z) on a grid; `log` has a row for each of `y`, in nats."""

    x: Array
    y: Array
    log: Array


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """Feature space in two dimensions: views by name, sets in the order in which they are drawn, the density if it is known."""

    views: Mapping[str, View]
    sets: tuple[Points, ...]
    density: Density | None


@dataclass(frozen=True, eq=False)
class RunContents:
    """One run.

    Attributes:
        folder: where it lies.
        name: what the page calls it.
        settings: `config.json`.
        environment: `environment.json`; empty if it is not there.
        class_names: of the model.
        epochs: the lines of `training.jsonl`.
        records: the latest of each measurement.
        calibration: None until calibrated.
        confusion: (K, K) counts, rows true; None until evaluated.
        distances: (K, K) between class means; None until evaluated.
        scores: detector → set → score of every image.
        map: None until there is one.
        notes: what the page should say about these files, such as lines that were left out.
    """

    folder: Path
    name: str
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    class_names: tuple[str, ...]
    epochs: tuple[Mapping[str, Any], ...] = ()
    records: tuple[Record, ...] = ()
    calibration: Calibration | None = None
    confusion: Integers | None = None
    distances: Array | None = None
    scores: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    map: FeatureMap | None = None
    notes: tuple[str, ...] = ()

    @property
    def data(self) -> str:
        """Name of the data set."""
        return str(self.settings["data"]["name"])

    @property
    def head(self) -> str:
        """Name of the head."""
        return str(self.settings["head"]["name"])

    @property
    def anomalies(self) -> list[str]:
        """Names of the sets that detectors were measured on, unknown ones before attacked ones."""
        names = dict.fromkeys(name for sets in self.scores.values() for name in sets if name != TEST)
        return sorted(names, key=lambda name: self.kind(name))

    def kind(self, name: str) -> Kind:
        """Return what a set is to the model. The map says; else what robustness was measured on was attacked."""
        if name == TEST:
            return Kind.TEST
        for points in self.map.sets if self.map else ():
            if points.name == name:
                return points.kind
        return Kind.ATTACKED if select(self.records, task="robustness", anomaly=name) else Kind.UNKNOWN

    @property
    def calibrated_scores(self) -> Mapping[str, Array]:
        """Set → scores of the calibrated detector; empty where there are none."""
        return {} if self.calibration is None else self.scores.get(self.calibration.detector, {})

    def value(self, **where: Any) -> Record | None:
        """Return the record whose fields have these values; None if there is none with a number."""
        found = [record for record in select(self.records, **where) if record.value is not None]
        return found[-1] if found else None


def point_p_values(run: RunContents, points: Points) -> Array:
    """Return the p-value of each point; NaN where its set has no scores of the calibrated detector."""
    scores = run.calibrated_scores.get(points.name)
    if run.calibration is None or scores is None or (len(points.index) and points.index.max() >= len(scores)):
        return np.full(len(points.index), np.nan)
    return run.calibration.p_values(scores[points.index])
