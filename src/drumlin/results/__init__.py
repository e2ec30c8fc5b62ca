"""One record of a measurement: append it to a file, read it back, tabulate it, compare it with what was published."""

from drumlin.results.files import append, read
from drumlin.results.record import SCHEMA, Comparison, Record, Scale, compare, in_percent, latest, select
from drumlin.results.repetitions import Repetitions, repetitions
from drumlin.results.tables import Grid, cell_text, grid, table

__all__ = [
    "SCHEMA", "Comparison", "Grid", "Record", "Repetitions", "Scale", "append", "cell_text", "compare", "grid", "in_percent", "latest",
    "read", "repetitions", "select", "table",
]  # fmt: skip
