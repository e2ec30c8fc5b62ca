"""Experiments made of many runs: what to run, what is recorded already, and running the rest, resumably.

A row of a table is a `Variant`: a few candidate settings, of which the one with the least hold-out error is taken, and seeds.
The records decide what is left to do, not the run folders: those may be deleted, or be on another machine. A record counts for the
settings that it was made with: after a change of them, what it measured is to be done again.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from drumlin.recipes.recording import TUNING, diverged, measured, tuning_record
from drumlin.recipes.variants import Variant
from drumlin.results import Record, append, latest, read, select
from drumlin.results.record import Scale
from drumlin.settings.run import RunSettings
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.training_time import TASK as TRAINING
from drumlin.tasks.training_time import training_time
from drumlin.training import Probe, Run, TrainingError, train
from drumlin.training.progress import Reporter


@dataclass(frozen=True)
class Experiment:
    """Variants, and what is measured of each model that is chosen.

    Attributes:
        name: of the recipe; every record has it.
        scale: "paper", "cpu" or "smoke".
        variants: the rows; none where there is only something to draw.
        measure: subject → results, the records of which are kept; among them one with the metric "error".
        probe: (settings, run's folder) → what is measured of that model after every epoch, for curves, or None; None for nothing of
            any. The folder is there once the training has begun.
        probe_every: steps after which it is measured also within an epoch, with the error on the hold-out; None for none.
        needs: settings → nothing; asks for what the measurements read beside the images trained on, before a training, which may take
            days. Raises a ValueError where it is not there.
        finish: (ledger, folder of the runs, folder for files) → files; draws what the measured runs show, if they are to be drawn.
        show: records of the measured runs → tables in Markdown, beside that of the errors.
    """

    name: str
    scale: Scale
    variants: tuple[Variant, ...]
    measure: Callable[[Subject], Iterable[TaskResult]]
    finish: Callable[[Ledger, Path, Path], list[Path]] | None = None
    show: Callable[[Sequence[Record]], str] | None = None
    probe: Callable[[RunSettings, Path], Probe | None] | None = None
    probe_every: int | None = None
    needs: Callable[[RunSettings], None] | None = None


@dataclass(frozen=True)
class Step:
    """One training that is to be done, and for what: "tuning", to choose among candidates, or the measurement of the chosen one."""

    variant: Variant
    candidate: str
    seed: int
    tuning: bool

    @property
    def folder(self) -> str:
        """Name of the run's folder."""
        words = f"{self.variant.name} {self.candidate} seed {self.seed}"
        return "-".join("".join(c if c.isalnum() or c in ".=" else " " for c in words).split())


class TimeLeft(NamedTuple):
    """Seconds of the trainings that are left, and how many of them there is nothing like to judge by."""

    seconds: float
    untimed: int


class Ledger:
    """What the records of one experiment say is done.

    Args:
        experiment: whose records count.
        path: file of records, of this and other experiments; may not exist yet.

    Raises:
        ValueError: a folder, or a file that holds no records.
    """

    def __init__(self, experiment: Experiment, path: Path) -> None:
        if path.is_dir():  # found now, and not after the first training
            raise ValueError(
                f"the records {path} are a folder: give the name of a file, such as {path / 'results.jsonl'}"
            )
        self.experiment, self.path = experiment, path
        self.reload()

    def reload(self) -> None:
        """Read the file again: another process may have added to it."""
        everything = read(self.path) if self.path.is_file() else []
        self._records = latest(select(everything, recipe=self.experiment.name, scale=self.experiment.scale))

    def tuned(self, variant: Variant) -> dict[str, float]:
        """Return the hold-out errors of a variant's candidates that are known; one whose training diverged has infinity."""
        found = {}
        for record in select(self._records, task=TUNING, metric="holdout-error"):
            name, _, candidate = (record.protocol or "").rpartition("; ")
            if name == variant.name and candidate in variant.candidates and _is_of(record, variant, candidate):
                found[candidate] = math.inf if record.value is None else record.value
        return found

    def chosen(self, variant: Variant) -> str | None:
        """Return the candidate that is taken: the best one, the first of equals; None as long as not all are known."""
        if len(variant.candidates) == 1:
            return next(iter(variant.candidates))
        found = self.tuned(variant)
        return min(variant.candidates, key=found.__getitem__) if found.keys() == variant.candidates.keys() else None

    def measurements(self, variant: Variant) -> list[Record]:
        """Return the records of a variant's measured seeds, of all metrics; none as long as its settings are not chosen."""
        chosen = self.chosen(variant)
        return [
            record
            for record in self._records
            if record.task not in (TUNING, TRAINING)
            and chosen is not None
            and record.seed in variant.seeds
            and (record.protocol or "").partition("; ")[0] == variant.name
            and _is_of(record, variant, chosen)
        ]

    def measured(self, variant: Variant) -> set[int]:
        """Return the seeds of which there are measurements."""
        errors = select(self.measurements(variant), task="classification", metric="error")
        return {record.seed for record in errors if record.seed is not None}

    def steps(self, variant: Variant) -> list[Step]:
        """Return what is left to do for a variant, as far as can be said now."""
        first = variant.seeds[0]
        chosen, tuned = self.chosen(variant), self.tuned(variant)
        if chosen is None:
            return [Step(variant, name, first, True) for name in variant.candidates if name not in tuned]
        measured = self.measured(variant)
        return [Step(variant, chosen, seed, False) for seed in variant.seeds if seed not in measured]

    def left(self, variant: Variant) -> int:
        """Return the number of trainings that are left, those included of which the settings are not known yet.

        The first seed of a tuned variant was trained for its tuning.
        """
        steps = self.steps(variant)
        later = len(variant.seeds) - 1 if steps and steps[0].tuning else 0
        return len(steps) + later

    def time_left(self) -> TimeLeft:
        """Return how long the trainings that are left take, by those of the same network and as many epochs that are recorded."""
        efforts = {variant.name: _effort(variant) for variant in self.experiment.variants}
        times: dict[object, list[float]] = {}
        for record in select(self._records, task=TRAINING, metric="seconds"):
            effort = efforts.get((record.protocol or "").rpartition("; ")[0])
            if record.value is not None and effort is not None:
                times.setdefault(effort, []).append(record.value)
        seconds, untimed = 0.0, 0
        for variant in self.experiment.variants:
            left, known = self.left(variant), times.get(efforts[variant.name])
            if known is None:
                untimed += left
            else:
                seconds += left * statistics.median(known)
        return TimeLeft(seconds, untimed)

    def add(self, records: Sequence[Record]) -> None:
        """Append records to the file."""
        append(self.path, records)
        self.reload()


def perform(
    step: Step,
    ledger: Ledger,
    out: Path,
    *,
    root: str | None = None,
    download: bool = False,
    reporter: Reporter | None = None,
) -> list[Record]:
    """Train what a step asks for below `out`, measure it, and record it; return the new records.

    A begun training is gone on with. One that diverges is recorded as a measurement without a number.

    Raises:
        ValueError: data that is not there; a run of other settings in the folder.
    """
    experiment, variant = ledger.experiment, step.variant
    asked = variant.settings(step.candidate, step.seed)
    settings = dataclasses.replace(asked, data=dataclasses.replace(asked.data, root=root, download=download))
    if experiment.needs:
        experiment.needs(settings)
    folder = out / step.folder
    probe = experiment.probe and experiment.probe(settings, folder)
    try:
        begun, every = (folder / "config.json").exists(), experiment.probe_every
        train(settings, folder, resume=begun, reporter=reporter, probe=probe, probe_every=every)
    except TrainingError:
        records = [diverged(step, experiment, settings)]
    else:
        run = Run(folder, root=root, download=download, device=settings.training.device)
        subject = Subject(run, recipe=experiment.name, scale=experiment.scale)
        records = [tuning_record(step, subject)] if step.tuning else measured(step, experiment, subject)
        protocol = f"{variant.name}; {step.candidate}"
        records += [dataclasses.replace(record, protocol=protocol) for record in training_time(subject).records]
    repeated = variant.settings(step.candidate, 0).identity
    records = [dataclasses.replace(record, asked=asked.identity, settings=repeated) for record in records]
    ledger.add(records)
    return records


def require_measured(ledger: Ledger, variant: Variant) -> str:
    """Return the candidate that a variant was measured with.

    Raises:
        ValueError: something of it is left to do.
    """
    chosen = ledger.chosen(variant)
    if chosen is None or ledger.steps(variant):
        raise ValueError(f"{variant.name} is not measured yet: run the recipe to its end first")
    return chosen


def finished_runs(ledger: Ledger, out: Path) -> dict[tuple[str, int], Path | None]:
    """Return where below `out` each measured run lies: (variant's name, seed) → folder; None where the training diverged.

    Raises:
        ValueError: something is left to do; a run that is recorded but not there.
    """
    folders: dict[tuple[str, int], Path | None] = {}
    for variant in ledger.experiment.variants:
        chosen = require_measured(ledger, variant)
        errors = select(ledger.measurements(variant), task="classification", metric="error")
        diverged = {record.seed for record in errors if record.value is None}
        for seed in variant.seeds:
            folder = out / Step(variant, chosen, seed, False).folder
            if seed not in diverged and not (folder / "model.json").is_file():
                raise ValueError(
                    f"{folder} is not there any more, though {ledger.path} has its records: figures are drawn from the runs; "
                    "give the folder that they are in (--out), or another file of records to train them again (--results); "
                    "--list prints the table alone"
                )
            folders[variant.name, seed] = None if seed in diverged else folder
    return folders


def _effort(variant: Variant) -> object:
    """Return what decides how long a training of a variant takes, the loss aside."""
    settings = next(iter(variant.candidates.values()))
    return settings.data, settings.backbone, settings.training.epochs, settings.training.batch_size


def _is_of(record: Record, variant: Variant, candidate: str) -> bool:
    """Return whether a record was made with the settings that a candidate has now; one that does not say so counts."""
    assert record.seed is not None
    return record.asked in (None, variant.settings(candidate, record.seed).identity)
