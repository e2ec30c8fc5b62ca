"""One measurement made with several seeds, as mean and spread beside what was published."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence

from drumlin.results.record import Record

# What repetitions of one measurement may differ in.
_OWN = {"run", "asked", "settings", "commit", "value", "ci_low", "ci_high", "n", "seed", "environment", "wall_seconds"}


class Repetitions:
    """Records of one measurement, each of another seed.

    Raises:
        ValueError: no records; two that differ in more than seed, run and value; two of one seed.

    >>> a = Record(run="r", task="t", data="d", split="test", metric="error", value=1.0, unit="%", seed=0, published=2.0)
    >>> found = Repetitions([a, dataclasses.replace(a, value=2.0, seed=1)])
    >>> found.mean, found.spread, found.difference
    (1.5, 0.7071067811865476, -0.5)
    """

    def __init__(self, records: Sequence[Record]) -> None:
        if not records:
            raise ValueError("no records: a measurement has one at least")
        for item in dataclasses.fields(Record):
            found = {str(getattr(record, item.name)) for record in records}
            if item.name not in _OWN and len(found) > 1:
                raise ValueError(
                    f"records of one cell differ in {item.name} ({', '.join(sorted(found))}): select one, or add it to rows or columns"
                )
        if len({record.seed for record in records}) < len(records):
            raise ValueError(
                f"two records of one cell have the same seed (runs {', '.join(sorted({record.run for record in records}))}): "
                "keep the latest of each measurement, or select runs"
            )
        self.records = tuple(records)

    @property
    def first(self) -> Record:
        """The first of them: what it says of the measurement holds for all."""
        return self.records[0]

    @property
    def mean(self) -> float | None:
        """The mean; None where any of them has no number."""
        values = [record.value for record in self.records if record.value is not None]
        return statistics.fmean(values) if len(values) == len(self.records) else None

    @property
    def spread(self) -> float | None:
        """The sample standard deviation; None where there is one seed, or a record without a number."""
        values = [record.value for record in self.records if record.value is not None]
        return statistics.stdev(values) if 1 < len(values) == len(self.records) else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval of a measurement with one seed that has one."""
        if len(self.records) > 1 or self.first.ci_low is None or self.first.ci_high is None:
            return None
        return self.first.ci_low, self.first.ci_high

    @property
    def difference(self) -> float | None:
        """Mean − published; None where there is none of either."""
        mean, published = self.mean, self.first.published
        return None if mean is None or published is None else mean - published


def repetitions(records: Iterable[Record]) -> list[Repetitions]:
    """Return records put together that differ in nothing but seed, run and value, in the order in which they are first named.

    Of several with one seed the last counts. Without a recipe nothing says that two runs repeat one another: each stands alone.

    >>> a = Record(run="r", recipe="x", task="t", data="d", split="test", metric="error", value=1.0, unit="%", seed=0)
    >>> again = dataclasses.replace(a, run="s", value=3.0)
    >>> [found.mean for found in repetitions([a, again, dataclasses.replace(a, metric="nmi")])]
    [3.0, 1.0]
    """
    names = [item.name for item in dataclasses.fields(Record) if item.name not in _OWN]
    groups: dict[tuple[object, ...], dict[int | None, Record]] = {}
    for record in records:
        alone = None if record.recipe else record.run
        group = groups.setdefault((alone, *(getattr(record, name) for name in names)), {})
        group.pop(record.seed, None)
        group[record.seed] = record
    return [Repetitions(tuple(group.values())) for group in groups.values()]
