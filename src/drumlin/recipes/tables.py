"""What recipes' tables have in common."""

from __future__ import annotations

import dataclasses

from drumlin.results import Record


def row_of(record: Record) -> Record:
    """Return a record whose protocol is the name of its row alone: the rest of it is the same in a whole table."""
    return dataclasses.replace(record, protocol=(record.protocol or "").partition("; ")[0])


def by_row(record: Record) -> Record:
    """Return a record with the name of its row as `head`, and what else its protocol says, or its metric, as `anomaly`.

    So tables have a line a row and a column for the rest, whatever the heads are.

    >>> r = Record(run="r", task="t", data="d", split="test", metric="nmi", value=1.0, unit="ratio", protocol="gm, 2-D; ward")
    >>> by_row(r).head, by_row(r).anomaly
    ('gm, 2-D', 'ward')
    """
    row, _, rest = (record.protocol or "").partition("; ")
    return dataclasses.replace(record, head=row, anomaly=rest or record.metric, protocol=None)
