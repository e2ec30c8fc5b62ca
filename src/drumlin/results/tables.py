"""Records as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from drumlin.results.record import Record, check_fields
from drumlin.results.repetitions import Repetitions


@dataclass(frozen=True)
class Grid:
    """Records put into lines and columns.

    Attributes:
        rows: names of the fields that tell lines apart.
        columns: headings of the columns.
        lines: a line's names, and its cells; None where there is no record.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    lines: tuple[tuple[tuple[str, ...], tuple[Repetitions | None, ...]], ...]


def grid(records: Iterable[Record], *, rows: Sequence[str], columns: Sequence[str]) -> Grid:
    """Return one line for each combination of the fields `rows`, one column for each of `columns`.

    Lines and columns come in the order in which the records first name them.

    Args:
        records: those to show, each measurement once a seed (`latest`).
        rows: names of fields.
        columns: names of fields.

    Raises:
        ValueError: a name that is no field; no fields; records in one cell that are not repetitions with different
            seeds.
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
    lines = tuple(
        (
            tuple(map(_text, row)),
            tuple(Repetitions(line[column]) if column in line else None for column in heads),
        )
        for row, line in cells.items()
    )
    return Grid((*rows,), tuple(", ".join(map(_text, column)) for column in heads), lines)


def table(
    records: Iterable[Record],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    digits: int = 2,
    published: bool = False,
) -> str:
    """Return a grid of records as a Markdown table.

    A cell with one record has its value, and its interval in brackets if it has one; a cell with several seeds has mean
    ± sample standard deviation. Where any of them has no number, and where there is no record, the cell is –.

    Args:
        records: those to show, each measurement once a seed (`latest`).
        rows: names of fields.
        columns: names of fields.
        digits: after the decimal point.
        published: add the published value in parentheses where there is one.

    Raises:
        ValueError: as `grid`.

    >>> import dataclasses
    >>> a = Record(run="r", task="t", data="d", split="test", head="gm", metric="error", value=1.0, unit="%", seed=0)
    >>> print(table([a, dataclasses.replace(a, value=2.0, seed=1)], rows=["head"], columns=["metric", "unit"]))
    | head | error, % |
    | --- | --- |
    | gm | 1.50 ± 0.71 |
    """
    found = grid(records, rows=rows, columns=columns)
    lines = [[*found.rows, *found.columns], ["---"] * (len(found.rows) + len(found.columns))]
    for names, cells in found.lines:
        lines.append([*names, *(cell_text(cell, digits, published=published) for cell in cells)])
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def cell_text(found: Repetitions | None, digits: int, *, published: bool = False) -> str:
    """Return what stands in a cell: a number with its interval, mean ± standard deviation, or –; the published value beside.

    >>> a = Record(run="r", task="t", data="d", split="test", metric="nmi", value=1.0, unit="ratio", ci_low=0.5, ci_high=2.0)
    >>> cell_text(Repetitions([a]), 1)
    '1.0 [0.5, 2.0]'
    """
    if found is None:
        return "–"
    mean, spread, interval, known = found.mean, found.spread, found.interval, found.first.published
    text = "–" if mean is None else f"{mean:.{digits}f}"
    if spread is not None:
        text += f" ± {spread:.{digits}f}"
    elif mean is not None and interval is not None:
        text += f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
    return f"{text} ({known:.{digits}f})" if published and known is not None else text


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _text(value: object) -> str:
    return "–" if value is None else str(value)
