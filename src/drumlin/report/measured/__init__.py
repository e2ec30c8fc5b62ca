"""What was measured, from files of records: the tables of README and docs, and one page of all of them."""

from drumlin.report.measured.catalogue import TABLES, Table
from drumlin.report.measured.reading import holds_records, read_folder
from drumlin.report.measured.tables import caption, chosen, markdown, origin
from drumlin.report.measured.writing import write_measurements

__all__ = [
    "TABLES",
    "Table",
    "caption",
    "chosen",
    "holds_records",
    "markdown",
    "origin",
    "read_folder",
    "write_measurements",
]
