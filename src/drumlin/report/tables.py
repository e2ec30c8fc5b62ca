"""Every number as a table that can be copied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drumlin.report.contents import TEST, Kind, RunContents
from drumlin.report.html import Html, el, join
from drumlin.report.summary import Share, main_detector, refused_shares, test_error
from drumlin.report.text import number, percent, span
from drumlin.results import Record


@dataclass(frozen=True)
class Cell:
    """What a cell shows, and what is copied of it where that has more digits."""

    text: str
    exact: str | None = None
    small: str = ""

    @classmethod
    def of(cls, record: Record | None, show: Callable[[float | None], str] = percent) -> Cell:
        """Return the value of a record, with its interval in small."""
        if record is None or record.value is None:
            return cls("–", "")
        low, high = record.ci_low, record.ci_high
        between = "" if low is None or high is None else f"{show(low)} to {show(high)}"
        return cls(show(record.value), repr(record.value), between)


Row = Sequence[str | Cell]


def table(headers: Sequence[str], rows: Iterable[Row], *, caption: str, numbers: int, tall: bool = False) -> Html:
    """Return a table in a box of its own that scrolls, with a button that copies it as tab-separated values.

    Args:
        headers: of the columns.
        rows: their cells.
        caption: what the table is, for who cannot see where it stands.
        numbers: the last so many columns are numbers.
        tall: whether it may be so long that the box scrolls.
    """
    first = len(headers) - numbers
    head = el("tr", (el("th", text, scope="col", class_="n" if i >= first else None) for i, text in enumerate(headers)))
    body = (el("tr", (_cell(cell, i, first) for i, cell in enumerate(row))) for row in rows)
    button = el("button", "Copy", type="button", class_="copy", aria_label=f"Copy table: {caption}")
    inner = el("table", el("caption", caption, class_="hidden"), el("thead", head), el("tbody", *body))
    box = el("div", inner, class_="box tall" if tall else "box", tabindex=0, role="region", aria_label=caption)
    return el("div", button, box, class_="table")


def _cell(cell: str | Cell, i: int, first: int) -> Html:
    shown = cell if isinstance(cell, Cell) else Cell(cell)
    inner = join(shown.text, el("small", shown.small)) if shown.small else join(shown.text)
    tag, scope = ("th", "row") if i == 0 else ("td", None)
    return Html(el(tag, inner, scope=scope, class_="n" if i >= first else None, data_v=shown.exact))


def comparison(runs: Sequence[RunContents]) -> Html:
    """Return what matters most of every run, a run a column: errors, and what is refused of each set."""
    rows: list[list[str | Cell]] = [["Errors on test images", *(Cell.of(test_error(run)) for run in runs)]]
    shares = [{share.name: share for share in refused_shares(run)} for run in runs]
    if any(run.calibration for run in runs):
        rows.append(["Refused of test images", *(_false_alarms(*pair) for pair in zip(runs, shares, strict=True))])
    for name in _names(runs):
        attacked = any(run.kind(name) is Kind.ATTACKED for run in runs)
        cells = [_caught(run, name, each.get(name)) for run, each in zip(runs, shares, strict=True)]
        rows.append([f"Caught of {'images attacked by ' if attacked else ''}{name}", *cells])
    rows = [row for row in rows if any(_text(cell) != "–" for cell in row[1:])]
    if not rows:
        return join()
    return table(["", *(run.name for run in runs)], rows, caption="In numbers", numbers=len(runs))


def _false_alarms(run: RunContents, shares: Mapping[str, Share]) -> Cell:
    if run.calibration is None or TEST not in shares:
        return Cell("–", "")
    share = shares[TEST]
    promise = f"{percent(run.calibration.false_alarm)} asked for; by chance {span(share.low, share.high)}"
    return Cell(percent(share.value), repr(share.value), promise)


def _caught(run: RunContents, name: str, share: Share | None) -> Cell:
    """Return what is caught of a set, with the area under the ROC curve of the same score."""
    area = _auroc(run, name)
    beside = "" if area is None else f"AUROC {percent(area.value)}"
    if share is None:
        return Cell("–", "") if area is None else Cell(beside, repr(area.value))
    return Cell(percent(share.value), repr(share.value), "; ".join(filter(None, [span(share.low, share.high), beside])))


def _auroc(run: RunContents, name: str) -> Record | None:
    detector = main_detector(run)
    return run.value(task="detection", metric="auroc", detector=detector, anomaly=name) if detector else None


def _names(runs: Sequence[RunContents]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.anomalies))


def settings(runs: Sequence[RunContents]) -> Html:
    """Return all settings, a run a column; those that differ come first."""
    return _nested(runs, [run.settings for run in runs], "Settings")


def environment(runs: Sequence[RunContents]) -> Html:
    """Return versions, processor and command, a run a column."""
    return _nested(runs, [run.environment for run in runs], "Environment")


def _nested(runs: Sequence[RunContents], values: Sequence[Mapping[str, Any]], caption: str) -> Html:
    flat = [_flat(value) for value in values]
    names = dict.fromkeys(name for each in flat for name in each)
    rows = [[name, *(each.get(name, "–") for each in flat)] for name in names]
    rows.sort(key=lambda row: len(set(row[1:])) == 1)
    headers = [caption.lower().removesuffix("s"), *(run.name for run in runs)]
    return table(headers, rows, caption=caption, numbers=0, tall=True)


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if isinstance(value, dict) and (value or not prefix):
        parts: dict[str, str] = {}
        for key, item in value.items():
            parts |= _flat(item, f"{prefix}.{key}" if prefix else str(key))
        return parts
    if isinstance(value, list):
        return {prefix: " ".join(map(str, value)) or "–"}
    return {prefix: "–" if value is None or value == {} else str(value)}


def records(runs: Sequence[RunContents]) -> Html:
    """Return every record, its value a run a column, with interval, and what it is to be compared with."""
    merged: dict[tuple[str, ...], list[Record | None]] = {}
    for i, run in enumerate(runs):
        for record in run.records:
            fields = (record.task, record.metric, record.detector, record.anomaly, record.protocol, record.unit)
            key = tuple("" if field is None else field for field in fields)
            merged.setdefault(key, [None] * len(runs))[i] = record
    headers = ["task", "metric", "detector", "anomalies", "protocol", "unit", *(run.name for run in runs)]
    headers += ["n", "expected", "source"]
    rows: list[Row] = []
    for key, found in merged.items():
        first = next(record for record in found if record is not None)
        expected = Cell("") if first.published is None else Cell(number(first.published), repr(first.published))
        cells = [Cell.of(record, number) for record in found]
        rows.append([*key, *cells, "" if first.n is None else str(first.n), expected, first.published_source or ""])
    return table(headers, rows, caption="All measurements", numbers=len(runs) + 3, tall=True)


def _text(cell: str | Cell) -> str:
    return cell.text if isinstance(cell, Cell) else cell
