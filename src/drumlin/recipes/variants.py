"""A row of an experiment: the settings to choose among, and what was published of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from drumlin.settings.run import RunSettings


@dataclass(frozen=True)
class Published:
    """A value from the literature, in the unit of the record it stands beside, and where it is from."""

    value: float
    source: str


class Measured(NamedTuple):
    """Of which number something was published: of a record with all of these, under any protocol where none is given."""

    task: str
    metric: str
    detector: str | None = None
    anomaly: str | None = None
    protocol: str | None = None


@dataclass(frozen=True)
class Variant:
    """A row of an experiment's table.

    Attributes:
        name: what its records' protocol says: unique in the experiment.
        candidates: settings by a short name that says in what they differ, e.g. "lr=0.05". With several,
            each is trained with the first seed, and the one with the least hold-out error is trained with the others.
        seeds: of the trainings; the candidates' own seed is replaced.
        published: value of the metric "error" to compare with.
        also: values of other numbers.
    """

    name: str
    candidates: dict[str, RunSettings]
    seeds: tuple[int, ...] = (0, 1, 2)
    published: Published | None = None
    also: Mapping[Measured, Published] = field(default_factory=dict)

    def settings(self, candidate: str, seed: int) -> RunSettings:
        """Return the settings of a candidate with a seed."""
        return dataclasses.replace(self.candidates[candidate], seed=seed)
