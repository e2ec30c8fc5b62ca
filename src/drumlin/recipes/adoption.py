"""Hold-out errors of the same settings, found in the records of another recipe: tuned once, not once a recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from drumlin.recipes.experiment import Ledger
from drumlin.recipes.recording import TUNING
from drumlin.results import Record, latest, read, select


def adopt(ledger: Ledger, files: Iterable[Path]) -> list[Record]:
    """Copy into a ledger what other recipes know of its candidates' hold-out errors; return the new records.

    Only a record made with the very same settings, seed included, counts (`Record.asked`); whatever else is in the files does not. A
    candidate that the ledger knows already keeps its own record. Run, commit and environment stay those of the training.

    Args:
        ledger: of the experiment that asks.
        files: of records.

    Raises:
        ValueError: a file that is not there, or holds no records.
    """
    known: dict[str, Record] = {}
    for path in files:
        if not path.is_file():
            raise ValueError(f"there is no file of records {path}: name one that `drumlin reproduce` wrote")
        found = select(latest(read(path)), task=TUNING, metric="holdout-error")
        known |= {record.asked: record for record in found if record.asked is not None}
    adopted = []
    for variant in ledger.experiment.variants:
        if len(variant.candidates) == 1:
            continue
        tuned = ledger.tuned(variant)
        for name in variant.candidates:
            record = known.get(variant.settings(name, variant.seeds[0]).identity)
            if name not in tuned and record is not None:
                adopted.append(
                    dataclasses.replace(
                        record,
                        recipe=ledger.experiment.name,
                        scale=ledger.experiment.scale,
                        protocol=f"{variant.name}; {name}",
                    )
                )
    if adopted:
        ledger.add(adopted)
    return adopted
