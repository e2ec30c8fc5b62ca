"""One record of a measurement, and choosing among many."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from drumlin._io import unknown

SCHEMA = 1
"""The version of `Record`; files of another are refused."""

Scale = Literal["paper", "cpu", "smoke"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """One measured number, with all that says what it is of.

    Non-finite numbers are refused, for JSON has none and no mean survives one. A measurement that has no number, such
    as the
    error of a training that diverged, is a record with the value None: it is stored as null, shown as –, and is never
    left out of a mean in silence.

    Raises:
        ValueError: a field of another type, not finite, or not among its choices; the message names it.

    >>> record = Record(run="4f1c", task="classification", data="digits", split="test", metric="error", value=1.5, unit="%")
    >>> record.seed is None
    True
    """

    schema: int = SCHEMA
    """Version of this list of fields."""
    run: str
    """Hash of the run's configuration."""
    asked: str | None = None
    """Hash of the settings that a recipe asked for, before what they left open was decided."""
    settings: str | None = None
    """Hash of these settings but for the seed: repetitions have it in common."""
    commit: str | None = None
    """Git commit of the code."""
    recipe: str | None = None
    """Recipe that asked for it."""
    task: str
    """Question asked of the model: classification, detection, ..."""
    data: str
    """Data set."""
    split: str
    """Its split."""
    head: str | None = None
    """Name of the head."""
    backbone: str | None = None
    """Name of the backbone."""
    detector: str | None = None
    """Detector that gave the scores."""
    anomaly: str | None = None
    """Out-of-distribution set or attack."""
    protocol: str | None = None
    """What else decides the number: the variant of the task."""
    metric: str
    """Name of the number."""
    value: float | None
    """The number; None where there is none."""
    ci_low: float | None = None
    """Lower end of its interval."""
    ci_high: float | None = None
    """Upper end of its interval."""
    unit: str
    """Unit of the number, of the interval and of the published value."""
    n: int | None = None
    """How many it was computed from: images, or what it is of, such as pairs or classes."""
    seed: int | None = None
    """Seed of the run."""
    scale: Scale = "cpu"
    """How much was spent: as in the paper, what two processor cores can do, or just enough to see it run."""
    published: float | None = None
    """The value in the literature."""
    published_source: str | None = None
    """Where that is: paper and table."""
    environment: dict[str, str] = field(default_factory=dict)
    """Versions, processor, and the network's precision, which records from before it was kept have not; empty if training diverged."""
    wall_seconds: float | None = None
    """Time it took."""

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"schema must be {SCHEMA}, not {self.schema!r}")
        for item in dataclasses.fields(self):
            _check(item.name, str(item.type), getattr(self, item.name))
        if (self.ci_low is None) != (self.ci_high is None):
            raise ValueError("ci_low and ci_high must be given together")
        if self.ci_low is not None and self.ci_high is not None and self.ci_low > self.ci_high:
            raise ValueError(f"ci_low must be at most ci_high, not {self.ci_low} > {self.ci_high}")

    @property
    def key(self) -> tuple[str | None, ...]:
        """What the record is a measurement of; of several with one key the latest counts."""
        return (self.run, self.task, self.detector, self.anomaly, self.protocol, self.metric)


_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "dict[str, str]": (dict,),
    "Scale": (str,),
    "None": (type(None),),
}


def _check(name: str, annotation: str, value: object) -> None:
    allowed = tuple(kind for part in annotation.split(" | ") for kind in _TYPES[part])
    if not isinstance(value, allowed) or isinstance(value, bool):
        raise ValueError(f"{name} must be of type {annotation}, not {value!r} of type {type(value).__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be finite, not {value}; a measurement without a number has the value None")
    if annotation == "Scale" and value not in get_args(Scale):
        raise unknown(name, str(value), get_args(Scale))
    if isinstance(value, dict) and not all(isinstance(text, str) for item in value.items() for text in item):
        raise ValueError(f"{name} must map text to text, not {value!r}")


def latest(records: Iterable[Record]) -> list[Record]:
    """Return, of all records with one (run, task, detector, anomaly, protocol, metric), the last one.

    >>> first = Record(run="r", task="t", data="d", split="test", metric="m", value=1.0, unit="1")
    >>> [record.value for record in latest([first, dataclasses.replace(first, value=2.0)])]
    [2.0]
    """
    kept: dict[tuple[str | None, ...], Record] = {}
    for record in records:
        kept.pop(record.key, None)
        kept[record.key] = record
    return list(kept.values())


def select(records: Iterable[Record], **where: Any) -> list[Record]:
    """Return the records whose fields have the given values; a list, tuple or set stands for any of its members.

    Raises:
        ValueError: a name that is no field.

    >>> record = Record(run="r", task="t", data="d", split="test", metric="m", value=1.0, unit="1")
    >>> len(select([record], task=["t", "u"], seed=None)), len(select([record], metric="n"))
    (1, 0)
    """
    check_fields(where)
    choices = {
        name: value if isinstance(value, list | tuple | set | frozenset) else (value,) for name, value in where.items()
    }
    return [record for record in records if all(getattr(record, name) in values for name, values in choices.items())]


def in_percent(record: Record) -> Record:
    """Return a record of a fraction in percent; any other as it is.

    >>> r = Record(run="r", task="t", data="d", split="test", metric="error", value=0.25, unit="fraction")
    >>> in_percent(r).value, in_percent(r).unit
    (25.0, '%')
    """
    if record.unit != "fraction":
        return record
    names = ("value", "ci_low", "ci_high", "published")
    scaled: dict[str, Any] = {name: None if (value := getattr(record, name)) is None else 100 * value for name in names}
    return dataclasses.replace(record, unit="%", **scaled)


class Comparison(NamedTuple):
    """A record beside its published value: `difference` = value − published, `relative` = difference/|published|."""

    record: Record
    difference: float
    relative: float | None


def compare(records: Iterable[Record]) -> list[Comparison]:
    """Compare with the published value every record that has both; `relative` is None where the published value is 0.

    >>> record = Record(run="r", task="t", data="d", split="test", metric="m", value=3.0, unit="1", published=2.0)
    >>> compare([record])[0].relative
    0.5
    """
    return [
        Comparison(record, difference, difference / abs(published) if published else None)
        for record in records
        if (value := record.value) is not None and (published := record.published) is not None
        for difference in [value - published]
    ]


def check_fields(names: Iterable[str]) -> None:
    """Refuse names that are no fields of a record."""
    known = [item.name for item in dataclasses.fields(Record)]
    for name in names:
        if name not in known:
            raise unknown("field of a record", name, known)
