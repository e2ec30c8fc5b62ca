"""One record of a measurement: append it to a file, read it back, tabulate it, compare it with what was published."""

from drumlin.results.files import append, read
from drumlin.results.record import SCHEMA, Comparison, Record, Scale, compare, latest, select
from drumlin.results.tables import table

__all__ = ["SCHEMA", "Comparison", "Record", "Scale", "append", "compare", "latest", "read", "select", "table"]
