"""What commands on a finished run share: flags, and telling the user what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from drumlin.cli._tables import record_lines

if TYPE_CHECKING:
    from drumlin.tasks import Subject, TaskResult


@dataclass(kw_only=True)
class RunFlags:
    """A run, and where its data lies."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder that `drumlin train --out` wrote."""
    data_root: str | None = None
    """Folder of the data sets; by default DRUMLIN_DATA, else the user's cache folder."""
    download: bool = False
    """Download a data set that is not there."""

    def subject(self) -> Subject:
        """Return the run as a subject of measurements."""
        from drumlin.tasks import Subject
        from drumlin.training import Run

        return Subject(Run(self.run, root=self.data_root, download=self.download))


def report(subject: Subject, result: TaskResult, name: str) -> None:
    """Store a result in the run's folder and print its records."""
    result.store(subject.run.folder, name)
    print(record_lines(result.records))
