"""Tables for people, as plain aligned text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drumlin.results import Record

_UNITS = {"fraction": ""}


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return columns aligned by width; cells that look like numbers to the right.

    >>> print(table(["set", "AUROC"], [["noise", "99.1"], ["all", "7.0"]]))
    set    AUROC
    noise   99.1
    all      7.0
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
    right = [bool(cells) and all(_number(row[i]) for row in cells) for i in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        parts = (
            cell.rjust(width) if flag else cell.ljust(width)
            for cell, width, flag in zip(row, widths, right, strict=True)
        )
        return "  ".join(parts).rstrip()

    return "\n".join([line(headers), *map(line, cells)])


def _number(text: str) -> bool:
    return text == "–" or text.strip("%").replace(".", "").replace("-", "").replace("+", "").replace("e", "").isdigit()


def percent(value: float | None) -> str:
    """Return a fraction in percent with two decimals; – for None."""
    return "–" if value is None else f"{100 * value:.2f}%"


def record_lines(records: Sequence[Record]) -> str:
    """Return records as lines of metric, value and interval, with the value to compare with where there is one."""
    rows = []
    for record in records:
        show = percent if record.unit == "fraction" else _plain
        interval = "" if record.ci_low is None else f"{show(record.ci_low)} to {show(record.ci_high)}"
        known = "" if record.published is None else f"{show(record.published)} ({record.published_source})"
        about = " ".join(part for part in (record.detector, record.anomaly) if part)
        unit = _UNITS.get(record.unit, record.unit)
        rows.append([record.task, record.metric, about, show(record.value), unit, interval, known])
    headers = ["task", "metric", "of", "value", "unit", "95% interval", "expected"]
    used = [i for i in range(len(headers)) if i in (1, 3) or any(row[i] for row in rows)]
    return table([headers[i] for i in used], [[row[i] for i in used] for row in rows])


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
