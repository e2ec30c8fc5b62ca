"""The tables of the catalogue, made of records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drumlin._io import unknown
from drumlin.report.measured.catalogue import TABLES, Table
from drumlin.results import Record, in_percent, table


def chosen(name: str, records: Iterable[Record]) -> tuple[Table, list[Record]]:
    """Return a table of the catalogue and the records that it is made of, fractions in percent.

    Raises:
        ValueError: an unknown table.
    """
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    found = TABLES[name]
    own = [record for record in records if (record.recipe or "").partition("/")[0] == found.recipe]
    return found, [in_percent(record) for record in found.choose(own)]


def markdown(name: str, records: Iterable[Record]) -> str:
    """Return a table of the catalogue with its caption; empty where there are no records of it.

    Raises:
        ValueError: an unknown table; records of which several would stand in one cell.
    """
    found, own = chosen(name, records)
    if not own:
        return ""
    beside = bool(found.published) and any(record.published is not None for record in own)
    body = table(own, rows=found.rows, columns=found.columns, digits=found.digits, published=beside)
    values = f", and in parentheses {found.published}" if beside else ""
    return f"{caption(found, own)}{values} ({origin(found, own)}):\n\n{body}\n"


def caption(table: Table, records: Iterable[Record]) -> str:
    """Return what a table shows, with what its records are of if they are all of CPU scale."""
    of_cpu = table.cpu and {record.scale for record in records} == {"cpu"}
    return f"{table.caption}; {table.cpu}" if of_cpu else table.caption


def origin(table: Table, records: Sequence[Record]) -> str:
    """Return how often the records of a table were measured, and on what."""
    fields = (*table.rows, *table.columns)
    seeds: dict[tuple[object, ...], set[int | None]] = {}
    for record in records:
        seeds.setdefault(tuple(getattr(record, name) for name in fields), set()).add(record.seed)
    repeats = max(map(len, seeds.values()))
    parts = [f"mean ± standard deviation of {repeats} seeds"] if repeats > 1 else []
    parts += _environments(records, "processor")
    if all("precision" in record.environment for record in records if record.value is not None):
        parts += _environments(records, "precision")
    parts += [f"torch {version}" for version in _environments(records, "torch")]
    return "; ".join(parts) or "no details recorded"


def _environments(records: Iterable[Record], name: str) -> list[str]:
    return sorted({record.environment.get(name, "") for record in records} - {""})
