"""Records as Markdown tables."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from drumlin.results.record import Record, check_fields

# What records in one cell of a table may differ in: they are repetitions of one measurement.
_REPETITION = {"run", "asked", "commit", "value", "ci_low", "ci_high", "n", "seed", "environment", "wall_seconds"}


def table(
    records: Iterable[Record],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    digits: int = 2,
    published: bool = False,
) -> str:
    """Return a Markdown table: one line for each combination of the fields `rows`, one column for each of `columns`.

    A cell with one record has its value, and its interval in brackets if it has one; a cell with several seeds has mean
    ± sample standard deviation. Where any of them has no number, and where there is no record, the cell is –. Lines and
    columns come in the order in which the records first name them.

    Args:
        records: those to show, each measurement once a seed (`latest`).
        rows: names of fields.
        columns: names of fields.
        digits: after the decimal point.
        published: add the published value in parentheses where there is one.

    Raises:
        ValueError: a name that is no field; no fields; records in one cell that are not repetitions with different
            seeds.

    >>> a = Record(run="r", task="t", data="d", split="test", head="gm", metric="error", value=1.0, unit="%", seed=0)
    >>> print(table([a, dataclasses.replace(a, value=2.0, seed=1)], rows=["head"], columns=["metric", "unit"]))
    | head | error, % |
    | --- | --- |
    | gm | 1.50 ± 0.71 |
    """
    check_fields([*rows, *columns])
    if not rows or not columns:
        raise ValueError("rows and columns must each name at least one field")
    cells: dict[tuple[Any, ...], dict[tuple[Any, ...], list[Record]]] = {}
    heads: dict[tuple[Any, ...], None] = {}
    for record in records:
        row, column = (tuple(getattr(record, name) for name in names) for names in (rows, columns))
        heads.setdefault(column)
        cells.setdefault(row, {}).setdefault(column, []).append(record)
    lines = [[*rows, *(", ".join(map(_text, column)) for column in heads)], ["---"] * (len(rows) + len(heads))]
    for row, line in cells.items():
        lines.append([*map(_text, row), *(_cell(line.get(column, []), digits, published) for column in heads)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(records: list[Record], digits: int, published: bool) -> str:
    if not records:
        return "–"
    first = records[0]
    for item in dataclasses.fields(Record):
        found = {str(getattr(record, item.name)) for record in records}
        if item.name not in _REPETITION and len(found) > 1:
            raise ValueError(
                f"records of one cell differ in {item.name} ({', '.join(sorted(found))}): select one, or add it to rows or columns"
            )
    if len({record.seed for record in records}) < len(records):
        raise ValueError(
            f"two records of one cell have the same seed (runs {', '.join(sorted({record.run for record in records}))}): "
            "keep the latest of each measurement, or select runs"
        )
    values = [record.value for record in records if record.value is not None]
    if len(values) < len(records):
        text = "–"
    elif len(values) > 1:
        text = f"{statistics.fmean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"
    else:
        text = f"{values[0]:.{digits}f}"
        if first.ci_low is not None and first.ci_high is not None:
            text += f" [{first.ci_low:.{digits}f}, {first.ci_high:.{digits}f}]"
    return f"{text} ({first.published:.{digits}f})" if published and first.published is not None else text


def _text(value: object) -> str:
    return "–" if value is None else str(value).replace("|", "\\|")
